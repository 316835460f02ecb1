// DPoP (RFC 9449): proofs that whoever sends a request holds a key. Owns the server's nonces and the table of the
// proofs that were used, so that each counts once. Not what is bound to a key: codes and tokens know that themselves
// (requests, tokens), and which app must prove one is the app's field (apps).
export { createDpop } from './dpop.ts';
export type { Dpop, DpopRequest, PresentedToken } from './dpop.ts';
export { dpopMigrations } from './dpop-migrations.ts';
