// The REST API as a whole: one guard before every route of the contract (who calls, for which team, whether they may,
// what they send), and the doors that belong to no other room. Owns no table; each noun's doors live in its own room.
export { createAuditLogRest } from './audit-log-rest.ts';
export type { PresentedAccessToken, PresentedApiToken } from './caller.ts';
export { createOpenApiRest } from './openapi-rest.ts';
export { createRestDoor, type RestNeeds } from './rest.ts';
export { createUserRest } from './user-rest.ts';
export { createUserStandingRest, type UserStandingNeeds } from './user-standing-rest.ts';
export { createProtectedResource } from './protected-resource.ts';
