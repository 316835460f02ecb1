// Authorization requests on their way through login and consent: validated parameters, the browser they belong to,
// and what the person answered; those that a client pushed ahead; and those of devices, which wait for somebody to
// enter their code. Owns the tables `authorizationRequests`, `pushedRequests` and `deviceRequests`. Not the rules of
// the parameters nor the decision what comes next (oauth), not the pages (account).
export { formatUserCode, parseUserCode, type DeviceRequest } from './device-request.ts';
export { createDeviceRequestPurge } from './device-request-purge-store.ts';
export { deviceRequestMigrations } from './device-request-migrations.ts';
export {
  createDeviceRequests,
  deviceIntervalSeconds,
  deviceRequestLifetimeSeconds,
  type Claim,
  type DeviceRequests,
} from './device-request-store.ts';
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
export { createRequestPurge } from './request-purge-store.ts';
