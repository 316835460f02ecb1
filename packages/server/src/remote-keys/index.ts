// Key sets of issuers that are not ours: fetched, kept, and asked for the key of a token. Owns when a set is fetched
// again and how long an old one may be used. Owns no trust: which issuer, which algorithms and which claims are right
// is said by who asks.
export { createRemoteKeys, RemoteKeysFailure } from './remote-keys.ts';
export type { FindKey, RemoteKeys, RemoteKeysFailureReason } from './remote-keys.ts';
