import type { PublicKey } from '#keys';

/** Claims that a workload token may have: whoever writes a trust policy can see here what to hold on to. */
export const workloadClaims: readonly string[] = [
  'iss',
  'aud',
  'sub',
  'scope',
  'owner',
  'owner_id',
  'project',
  'project_id',
  'environment',
  'runtime',
  'user_id',
  'deployment_id',
  'trigger',
  'interactive',
  'git_provider',
  'git_repository',
  'git_ref',
  'git_sha',
  'git_pull_request',
  'git_fork',
  'act',
  'iat',
  'nbf',
  'exp',
  'jti',
];

/** Claims of a Passport token beside those that a connector forwards. */
export const passportClaims: readonly string[] = [
  'iss',
  'aud',
  'typ',
  'sub',
  'scope',
  'external_sub',
  'external_iss',
  'connector_id',
  'owner',
  'owner_id',
  'project',
  'project_id',
  'environment',
  'deployment_id',
  'sid',
  'email',
  'email_verified',
  'name',
  'iat',
  'nbf',
  'exp',
  'jti',
];

/**
 * OpenID Connect Discovery section 3, for an issuer that only issues: no endpoint is named that does not exist.
 * `issuer` is byte for byte the `iss` of its tokens, since verifiers compare them so.
 */
export function discoveryDocument(issuer: string, keys: readonly PublicKey[], claims: readonly string[]) {
  return {
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...new Set(keys.map((key) => key.alg))],
    claims_supported: claims,
    scopes_supported: ['openid'],
  };
}

/** JWK Set (RFC 7517 section 5). */
export function keySetDocument(keys: readonly PublicKey[]) {
  return { keys };
}
