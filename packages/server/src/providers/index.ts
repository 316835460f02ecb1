// The conversation with an external identity provider: read its discovery, test a connector, sign a person in. Owns
// every check of what a provider says, and the records of live tests. Owns no browser and no session: connect walks the
// person through.
export { createConnectorCheck } from './connector-check.ts';
export { createKeptTokens, type KeptTokens } from './kept-tokens.ts';
export { connectorTestStartPurpose, toReported } from './live-tests/live-test.ts';
export type { ConnectorTestStart } from './live-tests/live-test.ts';
export { connectorTestMigrations } from './live-tests/live-test-migrations.ts';
export { createLiveTests } from './live-tests/live-tests.ts';
export type { LiveTests, LiveTestView } from './live-tests/live-tests.ts';
export { createProviderRest } from './provider-rest.ts';
export { createProviders } from './providers.ts';
export { createSessionRefresh } from './session-refresh.ts';
export { createTestLimits } from './test-limits.ts';
export type { ProviderAnswer, Providers, SignInSecrets } from './providers.ts';
