import { z } from 'zod';
import { teamQuery, timeSchema } from './names.ts';

export const attemptStepSchema = z.strictObject({
  at: timeSchema,
  step: z.string(),
  outcome: z.enum(['ok', 'failed']),
  detail: z.string().nullable(),
});

/** One way to a session: the steps in order, and where it stopped. */
export const signInAttemptSchema = z.strictObject({
  reference: z.string(),
  kind: z.enum(['sign-in', 'passport', 'connector-test']),
  teamId: z.string().nullable(),
  appId: z.string().nullable(),
  projectId: z.string().nullable(),
  deploymentId: z.string().nullable(),
  createdAt: timeSchema,
  outcome: z.enum(['open', 'ok', 'failed']),
  steps: z.array(attemptStepSchema),
});
export type SignInAttemptDocument = z.infer<typeof signInAttemptSchema>;

export const findSignInAttemptQuery = z.strictObject({ ...teamQuery, reference: z.string().min(1).max(64) });
