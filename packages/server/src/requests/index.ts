// Authorization requests on their way through login and consent: validated parameters, the browser they belong to,
// and what the person answered. Owns the table `authorizationRequests`. Not the rules of the parameters nor the
// decision what comes next (oauth), not the pages (account).
export type { AuthorizationParameters, AuthorizationRequest } from './request.ts';
export { requestMigrations } from './request-migrations.ts';
export { createRequests } from './request-store.ts';
export type { Requests } from './request-store.ts';
