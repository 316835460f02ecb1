import { z } from 'zod';
import { gitSchema } from './deployments.ts';
import { nameSchema, teamQuery, triggerSchema } from './names.ts';
import { audienceSchema } from './projects.ts';

/** `source` is what the caller says it is (`vercel-oidc-refresh`); it is written down and decides nothing. */
const source = z.string().min(1).max(150);

/** What a token would be for, and where it would be used. */
const askedToken = {
  environment: nameSchema.optional(),
  deploymentId: z.string().min(1).max(64).optional(),
  audience: audienceSchema.optional(),
  git: gitSchema
    .omit({ message: true, author: true })
    .meta({ description: 'What is built; with deploymentId it must be what that deployment says' })
    .optional(),
  trigger: triggerSchema.optional(),
  interactive: z.boolean().meta({ description: 'A person has a shell in this build' }).optional(),
};

export const mintTokenBody = z.strictObject({
  ...askedToken,
  source: source.optional(),
  lifetimeSeconds: z
    .int()
    .min(300)
    .max(12 * 3_600)
    .meta({ description: 'Development tokens alone; one hour without it' })
    .optional(),
});
export const mintTokenQuery = z.strictObject({ ...teamQuery, source: source.optional() });
export const mintTokenAnswer = z.strictObject({ token: z.string() });

export const explainTokenBody = z.strictObject(askedToken);
export const explainTokenAnswer = z.strictObject({
  allowed: z.boolean(),
  issuer: z.string(),
  subject: z.string(),
  audience: z.string(),
  mode: z.enum(['none', 'enforce', 'audit']),
  steps: z.array(
    z.strictObject({
      rule: z.string().meta({ description: 'The rule by its name, or one that always holds' }),
      outcome: z.enum(['allows', 'refuses', 'would-refuse', 'does-not-apply']),
      why: z.string(),
    }),
  ),
});
export type ExplainedToken = z.infer<typeof explainTokenAnswer>;
