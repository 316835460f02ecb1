import { z } from 'zod';
import { teamQuery, timeSchema } from './names.ts';
import { pageQuery, paginationSchema } from './pagination.ts';

export const passportSessionSchema = z.strictObject({
  sid: z.string(),
  projectId: z.string(),
  deploymentId: z.string().nullable(),
  connectorId: z.string(),
  host: z.string(),
  externalSub: z.string(),
  externalIss: z.string(),
  email: z.string().nullable(),
  name: z.string().nullable(),
  createdAt: timeSchema,
  expiresAt: timeSchema,
  idleExpiresAt: timeSchema.nullable().meta({ description: 'When it ends unless its visitor comes before' }),
});
export type PassportSessionDocument = z.infer<typeof passportSessionSchema>;

export const listPassportSessionsQuery = z.strictObject({
  ...teamQuery,
  ...pageQuery,
  projectId: z.string().max(64).optional(),
  connectorId: z.string().max(64).optional(),
  externalSub: z.string().max(512).optional(),
});
export const endPassportSessionsQuery = listPassportSessionsQuery
  .omit({ cursor: true, limit: true })
  .extend({ all: z.enum(['true', 'false']).optional() });
export const endPassportSessionsAnswer = z.strictObject({
  ended: z.int().nonnegative().meta({ description: 'The live sessions that were found and ended' }),
});
export const listPassportSessionsAnswer = z.strictObject({
  sessions: z.array(passportSessionSchema),
  pagination: paginationSchema,
});
export const passportSessionParams = z.strictObject({ sid: z.string().min(1).max(64) });
export const passportSessionQuery = z.strictObject(teamQuery);
