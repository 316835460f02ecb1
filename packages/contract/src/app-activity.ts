import { z } from 'zod';
import { teamQuery, timeSchema } from './names.ts';
import { pageQuery, paginationSchema } from './pagination.ts';

/** Word of the end of a person's login, on its way to the app (OpenID Connect Back-Channel Logout 1.0). */
export const logoutDeliverySchema = z.strictObject({
  kind: z.literal('backchannel-logout'),
  id: z.string(),
  createdAt: timeSchema,
  outcome: z
    .enum(['waiting', 'delivered', 'failed'])
    .meta({ description: 'waiting: it is tried again at nextTryAt; failed: it was given up' }),
  uri: z.string(),
  sub: z.string(),
  sid: z.string(),
  attempts: z.number().int(),
  lastTriedAt: timeSchema.nullable(),
  nextTryAt: timeSchema.nullable(),
  status: z.number().int().nullable().meta({ description: 'HTTP status of the last try' }),
  failure: z.string().nullable().meta({ description: 'Why the last try failed' }),
});

/** What happened between us and an app, newest first; more kinds may follow. */
export const appActivitySchema = z.discriminatedUnion('kind', [logoutDeliverySchema]);
export type AppActivityDocument = z.infer<typeof appActivitySchema>;

export const listAppActivityQuery = z.strictObject({ ...teamQuery, ...pageQuery });
export const listAppActivityAnswer = z.strictObject({
  activity: z.array(appActivitySchema),
  pagination: paginationSchema,
});
