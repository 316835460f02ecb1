import { z } from 'zod';
import { nameSchema, teamQuery } from './names.ts';
import { audienceSchema } from './projects.ts';

/** `source` is what the caller says it is (`vercel-oidc-refresh`); it is written down and decides nothing. */
const source = z.string().min(1).max(64);

export const mintTokenBody = z.strictObject({
  source: source.optional(),
  environment: nameSchema.optional(),
  deploymentId: z.string().min(1).max(64).optional(),
  audience: audienceSchema.optional(),
});
export const mintTokenQuery = z.strictObject({ ...teamQuery, source: source.optional() });
export const mintTokenAnswer = z.strictObject({ token: z.string() });
