// Every single-use secret: authorization codes, hand-offs, start links, set-up links. Owns their table and the one
// atomic statement that redeems them. Owns no meaning: a payload belongs to who issued it.
export { codeMigrations } from './code-migrations.ts';
export { createCodes } from './code-store.ts';
export type { Codes, FoundCode, FoundOneOf, IssuedCode } from './code-store.ts';
export { createCodePurge } from './code-purge-store.ts';
