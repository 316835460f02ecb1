// Signing keys: made, sealed at rest, and used for one purpose each; JWTs are signed and verified here and nowhere
// else, and the public halves are handed out for publishing. Owns no claim and no lifetime of a token: whoever
// issues one says what is in it. Serves no document: `issuers` and `oauth` do.
export type { Keys, KeysNeeds } from './keys.ts';
export { createKeys } from './keys.ts';
export type { KeyAlgorithm, KeyPurpose, PublicKey } from './key.ts';
export { keyMigrations } from './key-migrations.ts';
export type { ExpectedToken, RefusalReason } from './verification.ts';
export { TokenRefused } from './verification.ts';
