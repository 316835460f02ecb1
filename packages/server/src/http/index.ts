// HTTP in: listeners, which host and path belongs to which door, reading what arrives (forms, JSON, cookies, the
// client's address) and turning errors into answers. Owns no endpoint and no decision of who may do what.
export { jsonAnswer, readableByAnyOrigin } from './direct.ts';
export type { DirectAnswer, DirectCall, DirectRoute } from './direct.ts';
export { createClientAddress } from './client-address.ts';
export { cookieHeader, readCookie, secureCookieName } from './cookies.ts';
export type { CookieOptions } from './cookies.ts';
export type { Door, DoorContext, DoorEnv, ErrorAnswer, RequestFacts } from './door.ts';
export { answerOf, oauthAnswer, problemAnswer } from './error-answers.ts';
export type { Answer } from './error-answers.ts';
export { createHostTable } from './host-table.ts';
export type { Mount } from './host-table.ts';
export { newDoor } from './new-door.ts';
export { endSocket } from './end-socket.ts';
export { hasBody, waitUntilTaken } from './patience.ts';
export { publicDocument } from './public-document.ts';
export { isStorable, readBytes, readForm, readJson, readQuery, readUpload } from './reading.ts';
export { createOperationsDoor } from './operations-door.ts';
export { parseWithSchema } from './schema-faults.ts';
export { restDoor } from './rest-door.ts';
export type { CalledTeam, Caller, RestCall, RestDoor, Upload } from './rest-door.ts';
export { requireSameOrigin } from './same-origin.ts';
export type { CertificateFiles } from './certificates.ts';
export { hasGone, isHttp2, writeHead } from './http-version.ts';
export { listen } from './server.ts';
export type { Listener, ListenNeeds, NodeDoor } from './server.ts';
