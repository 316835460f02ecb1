// The one guarded fetcher: every request that this server makes to an address somebody typed goes through it.
// Owns which addresses may be reached, how long and how much is read. Owns no meaning of what comes back, and not the
// data path to upstreams, which has rules of its own.
export { findRefusal } from './addresses.ts';
export { FetchFailure } from './failure.ts';
export type { FetchFailureReason } from './failure.ts';
export { createGuardedFetch } from './fetch.ts';
export type { GuardedFetch, GuardedFetchOptions, Resolve } from './fetch.ts';
