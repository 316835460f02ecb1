import { isAppPermission } from '@tessera/contract';
import { identityScopes, redirectUriProblem } from '@tessera/protocol';
import { publicError, type PublicError } from '#errors';
import { isPublicApp, type AppFields, type KeySet } from './app.ts';

/**
 * The rules over an app's fields. Throws `invalid_app`, saying which value of which field was received and what is
 * expected instead.
 */
export function validateApp(fields: AppFields): void {
  validateUris('redirectUris', fields.redirectUris);
  for (const { path } of fields.redirectProjects) {
    const problem = redirectUriProblem(`https://project.example${path}`);
    if (problem === undefined) continue;
    throw invalidApp('redirectProjects', `"${path}" cannot be a path: ${problem.reason}.`, problem.mend);
  }
  validateUris('postLogoutRedirectUris', fields.postLogoutRedirectUris);
  const { backchannelLogoutUri } = fields;
  if (backchannelLogoutUri !== undefined) {
    validateUri('backchannelLogoutUri', backchannelLogoutUri);
    if (!/^https?:/.test(backchannelLogoutUri)) {
      throw invalidApp('backchannelLogoutUri', `Received "${backchannelLogoutUri}".`, 'Give an https URL.');
    }
  }
  const stranger = fields.scopes.find((scope) => !identityScopes.includes(scope));
  if (stranger !== undefined) {
    throw invalidApp(
      'scopes',
      `Received "${String(stranger)}".`,
      `Use some of ${identityScopes.join(', ')}.`,
    );
  }
  const reserved = fields.permissions.find((permission) => !isAppPermission(permission));
  if (reserved !== undefined) {
    throw invalidApp(
      'permissions',
      `"${reserved}" cannot be given to an app.`,
      'Leave it out: it needs the person themselves.',
    );
  }
  validateAuthentication(fields);
  validateTokens(fields);
  if (fields.securityProfile === 'fapi2') validateFapi(fields);
}

/** FAPI 2.0 Security Profile, 5.3.2: what makes it up stands in the app's fields, where everybody sees it. */
function validateFapi(fields: AppFields): void {
  const needed: readonly (readonly [field: keyof AppFields, isRight: boolean, expected: string])[] = [
    [
      'tokenEndpointAuthMethods',
      fields.tokenEndpointAuthMethods.every((method) => method === 'private_key_jwt'),
      '["private_key_jwt"]',
    ],
    ['requirePushedAuthorizationRequests', fields.requirePushedAuthorizationRequests, 'true'],
    ['dpopBoundAccessTokens', fields.dpopBoundAccessTokens, 'true'],
    ['requirePkce', fields.requirePkce, 'true'],
    ['strictAssertionAudience', fields.strictAssertionAudience, 'true'],
    ['idTokenSignedResponseAlg', fields.idTokenSignedResponseAlg !== 'RS256', '"PS256", "ES256" or "EdDSA"'],
    [
      'tokenEndpointAuthSigningAlg',
      !['RS256', 'HS256'].includes(fields.tokenEndpointAuthSigningAlg ?? ''),
      '"PS256", "ES256" or "EdDSA"',
    ],
    [
      'redirectUris',
      fields.redirectUris.every((uri) => /^https:|^http:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/]/.test(uri)),
      'https URLs, or of loopback',
    ],
  ];
  for (const [field, isRight, expected] of needed) {
    if (isRight) continue;
    throw invalidApp(
      field,
      `It does not fit the security profile "fapi2", which expects ${expected}.`,
      `Send ${expected}, or the security profile "standard".`,
    );
  }
}

function validateAuthentication(fields: AppFields): void {
  const { tokenEndpointAuthMethods: methods, jwks, jwksUri } = fields;
  if (!fields.requirePkce && isPublicApp(fields)) {
    throw invalidApp(
      'requirePkce',
      'PKCE cannot be optional for an app that authenticates with "none": nothing else would protect its codes.',
      'Leave requirePkce true, or take "none" out of tokenEndpointAuthMethods.',
    );
  }
  if (jwks !== undefined && jwksUri !== undefined) {
    throw invalidApp('jwks', 'There is a jwksUri too.', 'Give the keys, or where they are published.');
  }
  if (jwks !== undefined) validateKeySet(jwks);
  if (jwksUri !== undefined) {
    const problem = redirectUriProblem(jwksUri);
    if (problem !== undefined || !/^https?:/.test(jwksUri)) {
      throw invalidApp('jwksUri', `Received "${jwksUri.slice(0, 200)}".`, 'Give an https URL.');
    }
  }
  if (methods.includes('private_key_jwt') && jwks === undefined && jwksUri === undefined) {
    throw invalidApp(
      'tokenEndpointAuthMethods',
      '"private_key_jwt" needs keys to verify with.',
      'Give jwks or jwksUri.',
    );
  }
  if (methods.includes('workload_token') && fields.linkedProjects.length === 0) {
    throw invalidApp(
      'tokenEndpointAuthMethods',
      '"workload_token" needs a project whose tokens count.',
      'Give linkedProjects.',
    );
  }
}

/** Nobody's private key belongs here, and a symmetric one would be a secret that is read by all (RFC 7517, 9.2). */
function validateKeySet({ keys }: KeySet): void {
  for (const key of keys) {
    if (!['RSA', 'EC', 'OKP'].includes(String(key['kty']))) {
      throw invalidApp(
        'jwks',
        `A key has the kty "${String(key['kty']).slice(0, 20)}".`,
        'Use RSA, EC or OKP.',
      );
    }
    if (['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].some((member) => member in key)) {
      throw invalidApp(
        'jwks',
        'A key has its private part.',
        'Send the public part alone, and make a new key: this one has been sent around.',
      );
    }
  }
}

function validateTokens(fields: AppFields): void {
  for (const [field, resources] of [
    ['resources', fields.resources],
    ['protectedResources', fields.protectedResources],
  ] as const) {
    const wrong = resources.find((resource) => URL.parse(resource) === null || resource.includes('#'));
    if (wrong !== undefined) {
      throw invalidApp(
        field,
        `Received "${wrong.slice(0, 200)}".`,
        'Give an absolute URI without a fragment, such as https://api.example.com.',
      );
    }
    refuseRepeated(field, resources);
  }
  if (!fields.rotateRefreshTokens && !fields.dpopBoundAccessTokens) {
    throw invalidApp(
      'rotateRefreshTokens',
      'A refresh token that is used again and again must be bound to a key.',
      'Leave rotateRefreshTokens true, or set dpopBoundAccessTokens too.',
    );
  }
}

function validateUris(field: string, uris: readonly string[]): void {
  for (const uri of uris) validateUri(field, uri);
  refuseRepeated(field, uris);
}

function refuseRepeated(field: string, values: readonly string[]): void {
  const repeated = values.find((value, index) => values.indexOf(value) !== index);
  if (repeated !== undefined) throw invalidApp(field, `"${repeated}" is there twice.`, 'List each URL once.');
}

function validateUri(field: string, uri: string): void {
  const problem = redirectUriProblem(uri);
  if (problem !== undefined) {
    throw invalidApp(field, `"${uri.slice(0, 200)}" cannot be registered: ${problem.reason}.`, problem.mend);
  }
}

export function invalidApp(field: string, reason: string, mend: string): PublicError {
  return publicError('invalid_app', { description: `${field}: ${reason}`, mend });
}
