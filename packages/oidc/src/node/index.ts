// What only Node has: files. A bundler for an edge runtime or a browser takes ../own-machine.ts instead, by the
// conditions of `#own-machine` in package.json.
export { withLock } from './lock.ts';
export { refreshToken } from './refresh.ts';
export { readTokenFile } from './token-file.ts';
