// Login sessions of browsers. Owns the table `sessions` and the secret that a cookie holds (stored as a hash).
// Not the cookie itself (account), not visitors of deployments (visitors), not how somebody proved who they are.
export { isFresh, type Session } from './session.ts';
export { sessionMigrations } from './session-migrations.ts';
export { createSessions, type NewSession, type OpenedSession, type Sessions } from './sessions.ts';
export { createSessionPurge } from './session-purge-store.ts';
