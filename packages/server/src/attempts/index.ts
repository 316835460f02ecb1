// Sign-in attempts: one way of one person through a sign-in, step by step, for whoever has to help them later. Owns
// the records and the shapes that connect and gateway hand each other along the way. Owns no protocol state: state,
// nonce and verifier are connect's, authorization requests are `requests`'.
export { attemptMigrations } from './attempt-migrations.ts';
export { createAttemptRest } from './attempt-rest.ts';
export { createAttempts } from './attempt-store.ts';
export type { Attempts } from './attempt-store.ts';
export type { Attempt, AttemptStart, AttemptStep } from './attempt.ts';
export {
  connectAttemptPurpose,
  passportEndSessionLifetimeMilliseconds,
  passportEndSessionPurpose,
  passportHandOffLifetimeMilliseconds,
  passportHandOffPurpose,
  passportStartLifetimeMilliseconds,
  passportStartPurpose,
  platformSignInLifetimeMilliseconds,
  platformSignInPath,
  platformSignInPurpose,
  visitorClaimsOf,
} from './passport-way.ts';
export type {
  KeptProviderTokens,
  PassportEndSession,
  PassportHandOff,
  PassportStart,
  PlatformSignIn,
  Principal,
} from './passport-way.ts';
export { createAttemptPurge } from './attempt-purge-store.ts';
