import {
  appAuthMethods,
  clientAssertionAlgorithms,
  grantTypes,
  identityScopes,
  idTokenSigningAlgorithms,
} from '@tessera/protocol';
import { z } from 'zod';
import { nameSchema, teamQuery, timeSchema, titleSchema, webUrlSchema } from './names.ts';
import { permissions, type Permission } from './permissions.ts';

// What a redirect URI may be (private schemes, loopback, no fragment) is the app room's own rule: it says why in words.
const redirectUri = z.string().min(1).max(2_048);

export const scopeSchema = z.enum(identityScopes);
export const appAuthMethodSchema = z.enum(appAuthMethods);

/** A callback on the hosts of a project: the path is fixed, the host is one of the project's own. */
export const redirectProjectSchema = z.strictObject({
  projectId: z.string().min(1).max(64),
  path: z
    .string()
    .max(1_024)
    .regex(/^\/(?![/\\])[^?#\s\\]*$/, 'expected a path such as /callback'),
  environments: z.array(nameSchema).min(1).max(20).default(['production']),
});

/** A project whose workload tokens stand for the app's secret, and in which environments. */
export const linkedProjectSchema = z.strictObject({
  projectId: z.string().min(1).max(64),
  environments: z.array(nameSchema).min(1).max(20).default(['production']),
});

/** A key set (RFC 7517, 5) of public keys. */
export const keySetSchema = z.strictObject({
  keys: z
    .array(z.record(z.string().max(64), z.unknown()))
    .min(1)
    .max(20),
});

/** An absolute URI without a fragment (RFC 8707, 2). */
const resource = z
  .string()
  .max(2_048)
  .regex(/^[a-z][a-z0-9+.-]*:[\x21\x23-\x7e]+$/, 'expected an absolute URI without a fragment');

const writableFields = {
  name: titleSchema,
  slug: nameSchema,
  redirectUris: z.array(redirectUri).max(50),
  redirectProjects: z.array(redirectProjectSchema).max(50),
  postLogoutRedirectUris: z.array(redirectUri).max(50),
  backchannelLogoutUri: redirectUri.nullable(),
  scopes: z.array(scopeSchema).max(10),
  permissions: z.array(z.enum(permissions)).max(permissions.length),
  grantTypes: z.array(z.enum(grantTypes)).max(grantTypes.length),
  tokenEndpointAuthMethods: z.array(appAuthMethodSchema).min(1).max(appAuthMethods.length),
  tokenEndpointAuthSigningAlg: z
    .enum(clientAssertionAlgorithms)
    .nullable()
    .meta({ description: 'The one algorithm of client assertions; null: any that the server takes' }),
  jwks: keySetSchema.nullable().meta({ description: 'Public keys of client assertions' }),
  jwksUri: webUrlSchema.nullable().meta({ description: 'Where they are published; not beside jwks' }),
  linkedProjects: z.array(linkedProjectSchema).max(20),
  signInAccess: z.enum(['anyone', 'team']),
  idTokenSignedResponseAlg: z
    .enum(idTokenSigningAlgorithms)
    .meta({ description: 'Of ID tokens, and of access tokens that are JWTs' }),
  userinfoSignedResponseAlg: z
    .enum(idTokenSigningAlgorithms)
    .nullable()
    .meta({ description: 'Userinfo as a JWT signed so; null: as JSON' }),
  accessTokenFormat: z.enum(['opaque', 'jwt']),
  resources: z
    .array(resource)
    .max(50)
    .meta({ description: 'Resource servers that the app may ask access tokens for (RFC 8707)' }),
  protectedResources: z
    .array(resource)
    .max(50)
    .meta({ description: 'Resource servers of the team that the app is: it may introspect their tokens' }),
  rotateRefreshTokens: z.boolean(),
  requirePkce: z.boolean(),
  strictAssertionAudience: z.boolean().meta({
    description:
      'Client assertions are for the issuer alone; false: also for the token endpoint (old libraries)',
  }),
  requirePushedAuthorizationRequests: z.boolean(),
  dpopBoundAccessTokens: z.boolean(),
  securityProfile: z.enum(['standard', 'fapi2']),
  webMessage: z
    .boolean()
    .meta({ description: 'Takes answers in a popup (response_mode web_message.opener)' }),
};
const writable = z.strictObject(writableFields);

export const createAppBody = writable.partial().required({
  name: true,
  redirectUris: true,
  scopes: true,
  tokenEndpointAuthMethods: true,
  signInAccess: true,
});
export const updateAppBody = writable.partial();

/** By what an app proves who it is: worth as much as a secret, so changed by those who may make one. */
const credentialFields: readonly string[] = [
  'tokenEndpointAuthMethods',
  'tokenEndpointAuthSigningAlg',
  'jwks',
  'jwksUri',
  'linkedProjects',
];
export const updateAppPermissions: Readonly<Record<string, Permission>> = Object.fromEntries(
  Object.keys(writableFields).map((field) => [
    field,
    credentialFields.includes(field) ? 'app-secret:write' : 'app:write',
  ]),
);

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
  logo: z.string().nullable().meta({ description: 'Path of the uploaded logo at the origin' }),
  firstParty: z.boolean(),
  registration: z
    .enum(['dashboard', 'dynamic', 'metadata-document', 'built-in'])
    .meta({ description: 'How the app came about; those that registered themselves are unverified' }),
  expiresAt: timeSchema.nullable(),
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

/** The mark of an app that skips consent: instance administrators alone set it. */
export const markAppBody = z.strictObject({ firstParty: z.boolean() });

/** Never SVG: that is a document that can hold scripts and addresses. */
export const logoUpload = {
  types: ['image/png', 'image/jpeg', 'image/webp'],
  maximumBytes: 256 * 1024,
} as const;

export const appParams = z.strictObject({ id: z.string().min(1).max(64) });
export const appQuery = z.strictObject(teamQuery);
