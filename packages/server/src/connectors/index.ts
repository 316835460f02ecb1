// Connectors: a team's registrations at its external identity providers. Owns their records, their sealed secrets and
// the rules that a registration must keep. Owns no conversation with a provider: that is `providers`', which hands in
// what saving needs of it.
export { connectorKeyMigrations } from './keys/connector-key-migrations.ts';
export type { OpenedConnectorKey } from './keys/connector-key.ts';
export { connectorMigrations } from './connector-migrations.ts';
export { createConnectorRest } from './connector-rest.ts';
export type { ConnectorUse } from './connector-store.ts';
export { chooseAlgorithms, endpointNames, isEntraHost, isOktaHost, redirectUriOf } from './connector.ts';
export type { Connector, ProviderMetadata } from './connector.ts';
export { createConnectors } from './connectors.ts';
export type { ConnectorCheck, Connectors } from './connectors.ts';
export { ProviderFailure } from './provider-failure.ts';
export type { ProviderStep } from './provider-failure.ts';
