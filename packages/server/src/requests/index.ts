// Authorization requests on their way through login and consent: validated parameters, the browser they belong to,
// and what the person answered; and those that a client pushed ahead. Owns the tables `authorizationRequests` and
// `pushedRequests`. Not the rules of the parameters nor the decision what comes next (oauth), not the pages (account).
export {
  createPushedRequests,
  isPushedRequestUri,
  pushedRequestLifetimeSeconds,
} from './pushed-request-store.ts';
export type { PushedRequest, PushedRequests } from './pushed-request-store.ts';
export type { AuthorizationParameters, AuthorizationRequest } from './request.ts';
export { requestMigrations } from './request-migrations.ts';
export { createRequests } from './request-store.ts';
export type { Requests } from './request-store.ts';
