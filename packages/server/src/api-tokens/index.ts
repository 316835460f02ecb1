// API tokens: bearers that people make for programs. Owns the table `apiTokens`. It says what a token was given; what
// the person behind it may do now is judged by the guard (rest).
export type { ApiToken } from './api-token.ts';
export { apiTokenMigrations } from './api-token-migrations.ts';
export { createApiTokens, type ApiTokens, type ApiTokensNeeds, type NewApiToken } from './api-tokens.ts';
