// Counts of tries within a window of time, and the network that an address belongs to. Owns the table `limits` and
// the one atomic statement that counts and judges. Not what is limited nor how often: whoever counts says so.
export { limitMigrations } from './limit-migrations.ts';
export { createLimits } from './limit-store.ts';
export type { Limits } from './limit-store.ts';
export { endSiteOf, networkOf } from './network.ts';
