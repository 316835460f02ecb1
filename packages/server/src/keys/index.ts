// Signing keys: made, sealed at rest, used for one purpose each, and rotated in stages; JWTs are signed and verified
// here and nowhere else, and the public halves are handed out for publishing. Owns no claim of a token: whoever issues
// one says what is in it. Serves no document: `issuers` and `oauth` do.
export type { Keys, KeysNeeds } from './keys.ts';
export { createKeys } from './keys.ts';
export { keyAlgorithms, keyPurposes } from './key.ts';
export type { KeyAlgorithm, KeyPurpose, PublicKey } from './key.ts';
export { keyMigrations } from './key-migrations.ts';
export { keySetMaxAgeSeconds } from './key-policy.ts';
export type { KeyPolicy } from './key-policy.ts';
export { createKeyRest } from './rotation/key-rest.ts';
export { createKeyRotation } from './rotation/rotation.ts';
export { describeKeys, describeRevocation } from './rotation/describe-keys.ts';
export type { KeyRotation, KeyRotationNeeds } from './rotation/rotation.ts';
export type { ExpectedToken, RefusalReason } from './verification.ts';
export { TokenRefused } from './verification.ts';
