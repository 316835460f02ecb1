// The issuers that verifiers look up: discovery documents and key sets of workload tokens (one for all, one for each
// team) and of Passport tokens (one for each team); the address at which a workload exchanges its token, and the one on
// this machine at which a running deployment gets its own. Owns the documents and how they may be cached; makes no key
// and no token. Everything in a document comes from configuration: no header of a request can change a byte of it.
export type { IssuersNeeds } from './issuer-doors.ts';
export { createExchangeDoor } from './exchange-door.ts';
export type { ExchangeDoorNeeds } from './exchange-door.ts';
export { createRuntimeTokenDoor } from './runtime-token-door.ts';
export type { RunningDeployment, RuntimeTokenDoorNeeds } from './runtime-token-door.ts';
export { createOidcDoor, createPassportDoor } from './issuer-doors.ts';
