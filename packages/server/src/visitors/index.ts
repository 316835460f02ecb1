// Sessions of the visitors of protected deployments: made when a hand-off is redeemed, found at every request, listed
// and ended by their team. Owns their table. Owns no cookie and no token: the gateway makes and reads those.
export { createVisitors } from './visitor-session-store.ts';
export type { PersonCondition, Visitors } from './visitor-session-store.ts';
export { createVisitorRest } from './visitor-session-rest.ts';
export { visitorMigrations } from './visitor-session-migrations.ts';
export type {
  NewVisitorSession,
  SessionEnd,
  VisitorClaims,
  VisitorSession,
  VisitorSessionFilter,
} from './visitor-session.ts';
export { createVisitorSessionPurge } from './visitor-session-purge-store.ts';
export { createVisitorEndPurge } from './visitor-end-store.ts';
