// Key sets of issuers that are not ours: fetched, kept, and asked for the key of a token; and the tokens of workloads
// elsewhere, verified by what their issuer publishes. Owns when something is fetched again and how long an old copy may
// be used. Owns no trust: which issuer and which claims are right is said by who asks.
export { createRemoteKeys, RemoteKeysFailure } from './remote-keys.ts';
export type { FindKey, RemoteKeys, RemoteKeysFailureReason } from './remote-keys.ts';
export { createRemoteIssuers, RemoteIssuerFailure, RemoteTokenRefused } from './remote-issuers.ts';
export type { RemoteIssuers } from './remote-issuers.ts';
export { signatureAlgorithms } from './signature-algorithms.ts';
