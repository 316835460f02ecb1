// Tokens of apps: access tokens, refresh tokens and the families they belong to, ID tokens. Owns their tables and
// the rotation of refresh tokens. Not who may have one (oauth), not the codes they come from (codes), not the keys
// that sign (keys).
export type { AccessTokenForm } from './access-token.ts';
export { createIdTokens, idTokenType, userClaims } from './id-token.ts';
export type { IdTokenRequest, IssueIdToken } from './id-token.ts';
export { createSessionTokens } from './session-token-store.ts';
export { createPersonTokens } from './person-token-store.ts';
export { tokenMigrations } from './token-migrations.ts';
export type { AccessToken, RefreshToken, RequestedClaims, TokenFamily, TokenReach } from './token.ts';
export type { IssueContext, IssuedTokens, TokenContext } from './issuing.ts';
export { createTokens } from './tokens.ts';
export type { Tokens, TokensNeeds } from './tokens.ts';
export { createTokenPurges } from './token-purge-store.ts';
