// One verb set for each noun of the REST API, made from the contract: a route is a command from the day it is there.
// Owns no call of its own; the server says what is missing or refused.
export { createRestCommands } from './rest-commands.ts';
