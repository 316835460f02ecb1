import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Database, Expected } from '#database';
import { publicError } from '#errors';
import type { Sealing } from '#sealing';
import {
  generateConnectorKey,
  maximumKeys,
  openConnectorKey,
  type ConnectorKey,
  type ConnectorKeyAlgorithm,
  type OpenedConnectorKey,
} from './connector-key.ts';
import { createConnectorKeyStore } from './connector-key-store.ts';

type Changed = { teamId: string; connectorId: string; actor: string; reference: string };

export type ConnectorKeys = ReturnType<typeof createConnectorKeys>;

/** The keys of all connectors. Who may change them, and whether the connector is the team's, is the caller's business. */
export function createConnectorKeys(needs: {
  database: Database;
  clock: Clock;
  audit: Audit;
  sealing: Sealing;
  /** Matches one row while the connector is there: keeps a key from outliving it. */
  holdConnector: (teamId: string, connectorId: string) => Expected;
}) {
  const { database, clock, audit, sealing } = needs;
  const store = createConnectorKeyStore(database);

  const record = (action: string, { connectorId, ...by }: Changed, kid: string) =>
    audit.record({ ...by, action, object: connectorId, after: { kid } });

  async function get(connectorId: string, kid: string): Promise<ConnectorKey> {
    const found = (await store.list(connectorId)).find(({ key }) => key.kid === kid);
    if (found !== undefined) return found.key;
    throw publicError('not_found', { description: `The identity provider application has no key ${kid}.` });
  }

  return {
    /** The oldest first. */
    async list(connectorId: string): Promise<ConnectorKey[]> {
      return (await store.list(connectorId)).map(({ key }) => key);
    },

    /** The key that signs, opened; undefined while there is none. */
    async openActive(connectorId: string): Promise<OpenedConnectorKey | undefined> {
      const found = (await store.list(connectorId)).find(({ key }) => key.isActive);
      return found && openConnectorKey(sealing, found.key, found.sealedPrivateJwk);
    },

    /** A first key for a connector that is about to prove itself by key; the statement belongs into that unit. */
    async prepareFirst(connectorId: string, algorithm: ConnectorKeyAlgorithm): Promise<readonly Expected[]> {
      if ((await store.list(connectorId)).some(({ key }) => key.isActive)) return [];
      const made = { connectorId, algorithm, isActive: true, createdAt: clock.now() };
      return [store.insert(await generateConnectorKey(sealing, made))];
    },

    /** Adds a key that is published and does not sign yet. Throws `too_many_connector_keys`, `not_found`. */
    async create(changed: Changed, algorithm: ConnectorKeyAlgorithm): Promise<ConnectorKey> {
      const { teamId, connectorId } = changed;
      if ((await store.list(connectorId)).length >= maximumKeys) throw publicError('too_many_connector_keys');
      const made = { connectorId, algorithm, isActive: false, createdAt: clock.now() };
      const generated = await generateConnectorKey(sealing, made);
      const outcome = await database.tryWrite([
        needs.holdConnector(teamId, connectorId),
        store.insert(generated),
        record('connector-key.create', changed, generated.key.kid),
      ]);
      if (!outcome.committed) throw publicError('not_found');
      return generated.key;
    },

    /** Lets this key sign from now on, and no other. Throws `not_found`. */
    async activate(changed: Changed, kid: string): Promise<ConnectorKey> {
      const { teamId, connectorId } = changed;
      const key = await get(connectorId, kid);
      const outcome = await database.tryWrite([
        needs.holdConnector(teamId, connectorId),
        ...store.activate(connectorId, kid),
        record('connector-key.activate', changed, kid),
      ]);
      if (!outcome.committed) throw publicError('not_found');
      return { ...key, isActive: true };
    },

    /** Takes a key that does not sign out of the key set. Throws `not_found`, `connector_key_active`. */
    async delete(changed: Changed, kid: string): Promise<void> {
      await get(changed.connectorId, kid);
      const outcome = await database.tryWrite([
        store.delete(changed.connectorId, kid),
        record('connector-key.delete', changed, kid),
      ]);
      if (!outcome.committed) throw publicError('connector_key_active');
    },

    /** For the unit that deletes the connector. */
    deleteAll: store.deleteAll,
  };
}
