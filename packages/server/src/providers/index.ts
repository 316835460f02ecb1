// The conversation with an external identity provider: read its discovery, test a connector, sign a person in. Owns
// every check of what a provider says. Owns no table, no browser and no session: connect walks the person through.
export { createConnectorCheck } from './connector-check.ts';
export { createKeptTokens, type KeptTokens } from './kept-tokens.ts';
export { createProviderRest } from './provider-rest.ts';
export { createProviders } from './providers.ts';
export { createSessionRefresh } from './session-refresh.ts';
export type { ProviderAnswer, Providers, SignInSecrets } from './providers.ts';
