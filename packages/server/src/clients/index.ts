// Client authentication at an endpoint: which app sends this request, proven by a method it is registered for. Owns
// the reading of credentials and the table of the assertions that were used. Not the apps and their secrets (apps), not what a client may do (oauth).
export { clientMigrations } from './client-migrations.ts';
export { createClients } from './clients.ts';
export type { AuthenticateClient } from './clients.ts';
