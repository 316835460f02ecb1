import { z } from 'zod';
import { nameSchema, teamQuery, timeSchema, titleSchema } from './names.ts';
import { permissions } from './permissions.ts';

// What a redirect URI may be (private schemes, loopback, no fragment) is the app room's own rule: it says why in words.
const redirectUri = z.string().min(1).max(2_048);

export const scopeSchema = z.enum(['openid', 'email', 'profile', 'offline_access']);
export const appAuthMethodSchema = z.enum([
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
  'private_key_jwt',
  'none',
]);

/** A callback on the hosts of a project: the path is fixed, the host is one of the project's own. */
export const redirectProjectSchema = z.strictObject({
  projectId: z.string().min(1).max(64),
  path: z
    .string()
    .max(1_024)
    .regex(/^\/(?![/\\])[^?#\s\\]*$/, 'expected a path such as /callback'),
  environments: z.array(nameSchema).min(1).max(20).default(['production']),
});

const writableFields = {
  name: titleSchema,
  slug: nameSchema,
  redirectUris: z.array(redirectUri).max(50),
  redirectProjects: z.array(redirectProjectSchema).max(50),
  postLogoutRedirectUris: z.array(redirectUri).max(50),
  backchannelLogoutUri: redirectUri.nullable(),
  scopes: z.array(scopeSchema).max(10),
  permissions: z.array(z.enum(permissions)).max(permissions.length),
  tokenEndpointAuthMethods: z.array(appAuthMethodSchema).min(1).max(5),
  signInAccess: z.enum(['anyone', 'team']),
  idTokenSignedResponseAlg: z.enum(['RS256', 'PS256', 'ES256', 'EdDSA']),
  accessTokenFormat: z.enum(['opaque', 'jwt']),
  rotateRefreshTokens: z.boolean(),
  requirePkce: z.boolean(),
};
const writable = z.strictObject(writableFields);

export const createAppBody = writable.partial({
  slug: true,
  redirectProjects: true,
  postLogoutRedirectUris: true,
  backchannelLogoutUri: true,
  permissions: true,
  idTokenSignedResponseAlg: true,
  accessTokenFormat: true,
  rotateRefreshTokens: true,
  requirePkce: true,
});
export const updateAppBody = writable.partial();

export const appSecretSchema = z.strictObject({
  id: z.string(),
  last4: z.string(),
  createdAt: timeSchema,
  expiresAt: timeSchema.nullable(),
  lastUsedAt: timeSchema.nullable(),
});

export const appSchema = z.strictObject({
  id: z.string().meta({ description: 'The client_id' }),
  teamId: z.string(),
  ...writableFields,
  firstParty: z.boolean(),
  secrets: z.array(appSecretSchema),
  createdAt: timeSchema,
  updatedAt: timeSchema,
});
export type AppDocument = z.output<typeof appSchema>;

/** Up to two secrets at a time, so that one can be replaced without a gap. */
export const createAppSecretBody = z.strictObject({ expiresAt: timeSchema.optional() });
export const createAppSecretAnswer = appSecretSchema.extend({
  clientSecret: z.string().meta({ description: 'Shown once' }),
});
export const deleteAppSecretQuery = z.strictObject({ ...teamQuery, secretId: z.string().min(1).max(64) });

export const appParams = z.strictObject({ id: z.string().min(1).max(64) });
export const appQuery = z.strictObject(teamQuery);
