// Workload tokens for whoever has one and for whoever is shown one: get, exchange, verify. Needs nothing but jose.
// Only ./node uses Node's own modules; edge runtimes and browsers get ./own-machine.ts in its place.
export { OidcTokenError, OidcVerificationError } from './errors.ts';
export type { OidcTokenErrorCode, OidcVerificationErrorCode } from './errors.ts';
export { getOidcToken, type GetOidcTokenOptions } from './get-oidc-token.ts';
export type { InstanceOptions } from './settings.ts';
export { verifyOidcToken } from './verify-oidc-token.ts';
export type { OidcTokenClaims, VerifyOidcTokenOptions } from './verify-oidc-token.ts';
