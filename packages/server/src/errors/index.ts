// The catalogue of errors: stable codes, public texts with their mend, private causes. Owns no rendering:
// doors turn these into pages, problem documents or OAuth error answers.
export type { ErrorCode } from './catalogue.ts';
export { DatabaseUnavailable, OAuthError, oauthError, PublicError, publicError } from './errors.ts';
export type { OAuthErrorCode, OAuthErrorOptions, PublicErrorOptions } from './errors.ts';
