// Secrets at rest: what must be read again is sealed under a key derived from the master key; what is only compared
// is hashed. Owns no table and no signing key.
export { createSealing, equalInConstantTime, hashSecret } from './sealing.ts';
export type { Sealing } from './sealing.ts';
