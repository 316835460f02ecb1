// Finding out what is wrong: checks that ask from outside, and the commands around them. Owns no decision of the server
// and needs nothing of it but its names on the wire.
export { checkGateway } from './check-gateway.ts';
export type { CheckAnswer, CheckRequest, Finding, GatewayToCheck, SendCheck } from './check-gateway.ts';
export { createDoctorApp } from './app.ts';
export { createDoctorGateway } from './gateway.ts';
export { createSendCheck } from './send-check.ts';
