export { codeOf, replaceFile } from './private-files.ts';
export { parseBaseUrl, type Instance } from './instance.ts';
export { withLock } from './lock.ts';
export { createLogin } from './login.ts';
export { createLogout } from './logout.ts';
export { createStoredLogin } from './stored-login.ts';
export { createWhoami } from './whoami.ts';
