// The one callback: takes a visitor from a deployment's start link to their identity provider and back, and hands the
// result to the deployment's host. Owns the browser's way between the two, its cookie, and single use of every link.
// Owns no check of tokens (`providers`) and no visitor's session (the gateway makes it from the hand-off).
export { createConnectDoor } from './connect-door.ts';
export type { ConnectNeeds } from './connect-door.ts';
export { createConnectorKeySetDoor } from './key-set.ts';
