import { z } from 'zod';

/** One step of a check, in the order in which they are made. */
export const checkStepSchema = z.strictObject({
  step: z.string(),
  outcome: z.enum(['ok', 'failed', 'skipped']),
  detail: z.string().nullable(),
  mend: z.string().nullable(),
});

/** RFC 9457 problem document, with our stable `code`, the `mend`, and the request's `reference`. */
export const problemSchema = z.strictObject({
  type: z.string().meta({ description: 'A URI that names the kind of problem' }),
  title: z.string(),
  status: z.int(),
  detail: z.string().meta({ description: 'What was received and what was expected' }),
  code: z.string().meta({ description: 'Stable; the same as the last part of `type`' }),
  mend: z.string().meta({ description: 'What to do about it' }),
  reference: z.string().meta({ description: 'Finds this request in logs and sign-in attempts' }),
  steps: z.array(checkStepSchema).optional().meta({ description: 'Of a check that failed: how far it came' }),
});
export type Problem = z.infer<typeof problemSchema>;
