import { z } from 'zod';
import { idOrNameSchema, teamQuery, timeSchema, titleSchema, webUrlSchema } from './names.ts';
import { pageQuery, paginationSchema } from './pagination.ts';
import { checkStepSchema } from './problem.ts';

/** What is copied from a provider's page: with a line break at its end the provider would not know it. */
const credentialText = z
  .string()
  .min(1)
  .regex(
    // oxlint-disable-next-line no-control-regex -- refusing control characters is the point
    /^(?!\s)[^\u0000-\u001f\u007f]*(?<!\s)$/,
    'expected no space or line break at either end, and no control characters; copy it again',
  );
const claimName = z.string().regex(/^[A-Za-z0-9_.:/-]{1,128}$/, 'expected the name of a claim');
// RFC 6749 section 3.3
const scopeName = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'expected one scope, without spaces');

const endpointFields = {
  authorizationEndpoint: webUrlSchema,
  tokenEndpoint: webUrlSchema,
  jwksUri: webUrlSchema,
  userinfoEndpoint: webUrlSchema,
  endSessionEndpoint: webUrlSchema,
};
const endpoints = z.strictObject(endpointFields);

const usesRefreshTokens = z.boolean().meta({
  description:
    'Ask the provider again while a session lasts; ask for its scope, often offline_access, in scopes',
});

const usesOwnRedirectUri = z.boolean().meta({
  description:
    'Visitors come back at an address of this connector alone (ownRedirectUri), which is then the one to register',
});

export const connectorTypeSchema = z.enum(['oidc', 'oauth2']);
export const connectorAuthMethodSchema = z.enum([
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
]);

/**
 * Whom a client assertion is for: the issuer (RFC 7523 as revised), or the token endpoint, which Okta and Microsoft
 * Entra ID ask for. Left out, it is chosen by the issuer.
 */
export const clientAssertionAudienceSchema = z.enum(['issuer', 'token_endpoint']);

/** Endpoints left out are discovered at the issuer. */
export const createConnectorBody = z.strictObject({
  name: titleSchema,
  type: connectorTypeSchema.default('oidc'),
  issuer: webUrlSchema,
  clientId: credentialText.max(512),
  clientSecret: credentialText.max(1_024).optional(),
  tokenEndpointAuthMethod: connectorAuthMethodSchema.optional(),
  clientAssertionAudience: clientAssertionAudienceSchema.optional(),
  ...endpoints.partial().shape,
  subjectClaim: claimName.optional(),
  scopes: z.array(scopeName).min(1).max(50).optional(),
  forwardedClaims: z.array(claimName).max(50).optional(),
  usesRefreshTokens: usesRefreshTokens.default(false),
  usesOwnRedirectUri: usesOwnRedirectUri.optional(),
});

export const updateConnectorBody = z.strictObject({
  name: titleSchema.optional(),
  issuer: webUrlSchema.optional(),
  clientId: credentialText.max(512).optional(),
  clientSecret: credentialText.max(1_024).nullable().optional(),
  tokenEndpointAuthMethod: connectorAuthMethodSchema.optional(),
  clientAssertionAudience: clientAssertionAudienceSchema.optional(),
  authorizationEndpoint: webUrlSchema.optional(),
  tokenEndpoint: webUrlSchema.optional(),
  jwksUri: webUrlSchema.nullable().optional(),
  userinfoEndpoint: webUrlSchema.nullable().optional(),
  endSessionEndpoint: webUrlSchema.nullable().optional(),
  subjectClaim: claimName.optional(),
  scopes: z.array(scopeName).min(1).max(50).optional(),
  forwardedClaims: z.array(claimName).max(50).optional(),
  usesRefreshTokens: usesRefreshTokens.optional(),
  usesOwnRedirectUri: usesOwnRedirectUri.optional(),
});

export const connectorSchema = z.strictObject({
  id: z.string(),
  teamId: z.string(),
  name: z.string(),
  type: connectorTypeSchema,
  issuer: z.string(),
  clientId: z.string(),
  hasClientSecret: z.boolean().meta({ description: 'The secret itself is never answered' }),
  clientSecretSetAt: timeSchema.nullable(),
  credentialsUsedAt: timeSchema.nullable().meta({
    description: 'When the provider last accepted the client, to the minute; null when it never did',
  }),
  tokenEndpointAuthMethod: connectorAuthMethodSchema,
  clientAssertionAudience: clientAssertionAudienceSchema,
  clientJwksUri: z.string().meta({
    description:
      'The public keys of this connector alone, for private_key_jwt: to be entered at the provider',
  }),
  authorizationEndpoint: z.string(),
  tokenEndpoint: z.string(),
  jwksUri: z.string().nullable(),
  userinfoEndpoint: z.string().nullable(),
  endSessionEndpoint: z.string().nullable(),
  subjectClaim: z.string(),
  scopes: z.array(z.string()),
  forwardedClaims: z.array(z.string()),
  usesRefreshTokens,
  usesOwnRedirectUri,
  redirectUri: z.string().meta({ description: 'To be registered at the identity provider' }),
  ownRedirectUri: z.string().meta({
    description: 'What `redirectUri` is once `usesOwnRedirectUri` is said: to be registered in its place',
  }),
  authorizationResponseIssParameterSupported: z.boolean().meta({
    description:
      'The provider names itself in its answers (RFC 9207); without that, use the own redirect URI',
  }),
  backchannelLogoutUri: z
    .string()
    .meta({ description: 'To be registered there too, where it can tell of logouts by back-channel' }),
  createdAt: timeSchema,
  updatedAt: timeSchema,
});
export type ConnectorDocument = z.infer<typeof connectorSchema>;

export const listConnectorsQuery = z.strictObject({ ...teamQuery, ...pageQuery });
export const listConnectorsAnswer = z.strictObject({
  connectors: z.array(connectorSchema),
  pagination: paginationSchema,
});

export const connectorKeySchema = z.strictObject({
  kid: z.string(),
  algorithm: z.enum(['RS256', 'PS256', 'ES256']),
  state: z.enum(['active', 'published']).meta({
    description: 'Assertions are signed with the active key; every key is in the key set',
  }),
  createdAt: timeSchema,
  certificate: z.string().meta({
    description: 'The public key as a self-signed certificate (PEM), for providers that take no key set',
  }),
});
export type ConnectorKeyDocument = z.infer<typeof connectorKeySchema>;
export const listConnectorKeysAnswer = z.strictObject({ keys: z.array(connectorKeySchema) });

export const discoverConnectorBody = z.strictObject({
  issuer: webUrlSchema,
  type: connectorTypeSchema.default('oidc'),
});
export const discoverConnectorAnswer = z.strictObject({
  issuer: z.string(),
  authorizationEndpoint: z.string(),
  tokenEndpoint: z.string(),
  jwksUri: z.string().nullable(),
  userinfoEndpoint: z.string().nullable(),
  endSessionEndpoint: z.string().nullable(),
  tokenEndpointAuthMethodsSupported: z.array(z.string()),
  scopesSupported: z.array(z.string()),
  idTokenSigningAlgValuesSupported: z.array(z.string()),
  authorizationResponseIssParameterSupported: z.boolean(),
  redirectUri: z
    .string()
    .meta({ description: 'To be registered at the identity provider, before there is a connector' }),
  steps: z.array(checkStepSchema),
});

export const testStepSchema = checkStepSchema.extend({ milliseconds: z.number().nonnegative() });
export const testConnectorBody = z.strictObject({
  live: z.boolean().default(false).meta({ description: 'Also prepare a sign-in, to be done in a browser' }),
  project: idOrNameSchema
    .optional()
    .meta({ description: 'For a live test: the project whose access policy is asked about you' }),
});
export const testConnectorAnswer = z.strictObject({
  ok: z.boolean(),
  steps: z.array(testStepSchema),
  live: z
    .strictObject({
      id: z.string(),
      url: z
        .string()
        .meta({ description: 'Open it where you are logged in; it works once, for ten minutes' }),
      expiresAt: timeSchema,
    })
    .nullable(),
});

/** What a live test found. Tokens, and whatever looks like one, are left out of it. */
export const connectorTestReportSchema = z.strictObject({
  ok: z.boolean(),
  steps: z.array(testStepSchema),
  claims: z.strictObject({
    idToken: z.record(z.string(), z.unknown()).nullable(),
    userinfo: z.record(z.string(), z.unknown()).nullable(),
  }),
  forwarded: z.record(z.string(), z.unknown()).nullable().meta({
    description: 'The claims about the person that a deployment would see',
  }),
  missing: z.array(z.string()).meta({ description: 'Forwarded claims that the provider did not give' }),
  policy: z
    .strictObject({ projectId: z.string(), allowed: z.boolean(), because: z.string() })
    .nullable()
    .meta({ description: 'What the access policy of the named project says' }),
});
export type ConnectorTestReport = z.output<typeof connectorTestReportSchema>;

export const connectorTestSchema = z.strictObject({
  id: z.string(),
  connectorId: z.string(),
  state: z.enum(['waiting', 'running', 'finished', 'expired']),
  createdAt: timeSchema,
  expiresAt: timeSchema,
  finishedAt: timeSchema.nullable(),
  reference: z.string().nullable().meta({ description: 'Of the sign-in attempt, once it has begun' }),
  report: connectorTestReportSchema.nullable(),
});
export const connectorTestParams = z.strictObject({
  id: z.string().min(1).max(64),
  testId: z.string().min(1).max(64),
});

export const connectorKeyParams = z.strictObject({
  id: z.string().min(1).max(64),
  kid: z.string().min(1).max(64),
});
export const connectorParams = z.strictObject({ id: z.string().min(1).max(64) });
export const connectorQuery = z.strictObject(teamQuery);
