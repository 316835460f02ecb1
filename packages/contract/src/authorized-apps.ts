import { z } from 'zod';
import { teamQuery, timeSchema } from './names.ts';

/** One answer of a person on the consent page. */
export const authorizedScopesSchema = z.strictObject({
  scopes: z.array(z.string()).meta({ description: 'Scopes, and permissions by their names' }),
  teamId: z.string().nullable().meta({ description: 'The team that permissions were given in' }),
  host: z.string().nullable().meta({ description: 'The deployment that it holds for, when it is one' }),
  createdAt: timeSchema,
  updatedAt: timeSchema,
});

/** An app that may sign a person in, or act for them. */
export const authorizedAppSchema = z.strictObject({
  appId: z.string(),
  name: z.string(),
  logo: z.string().nullable(),
  teamName: z.string().nullable().meta({ description: 'The team that the app belongs to' }),
  verified: z.boolean(),
  allowed: z.array(authorizedScopesSchema),
  lastUsedAt: timeSchema.nullable().meta({ description: 'When it last got a token' }),
});
export type AuthorizedAppDocument = z.output<typeof authorizedAppSchema>;

export const listAuthorizedAppsAnswer = z.strictObject({ apps: z.array(authorizedAppSchema) });
export const authorizedAppParams = z.strictObject({ appId: z.string().min(1).max(2_048) });
export const authorizedAppsQuery = z.strictObject(teamQuery);
