// Who is visiting a deployment behind Passport: read the header that the gateway sets, and verify it. Needs nothing
// but jose and what every runtime has.
export { PassportError, type PassportErrorCode } from './errors.ts';
export { getIdentity, type GetIdentityOptions } from './get-identity.ts';
export type { PassportIdentity } from './identity.ts';
export type { HeadersSource, RequestSource } from './request-headers.ts';
export type { TestIdentity } from './test-identity.ts';
export { verifyIdentity, type VerifyIdentityOptions } from './verify-identity.ts';
