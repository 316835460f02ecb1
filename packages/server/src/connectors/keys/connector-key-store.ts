import type { JWK } from 'jose';
import { exactly, type Bound, type Database, type Expected } from '#database';
import type { ConnectorKey } from './connector-key.ts';

type ConnectorKeyRow = {
  kid: string;
  connectorId: string;
  algorithm: ConnectorKey['algorithm'];
  isActive: number;
  publicJwk: string;
  certificate: string;
  sealedPrivateJwk: string;
  createdAt: number;
};

/** A key with its private half as it is stored. */
export type StoredConnectorKey = { key: ConnectorKey; sealedPrivateJwk: string };

export function createConnectorKeyStore(database: Database) {
  const query = database.queries<{ connectorKeys: ConnectorKeyRow }>();

  const listOfConnector = database.statement<{ connectorId: string }>()((value) =>
    query
      .selectFrom('connectorKeys')
      .selectAll()
      .where('connectorId', '=', value('connectorId'))
      .orderBy('createdAt')
      .orderBy('kid'),
  );
  const insert = database.statement<ConnectorKeyRow>()((value) =>
    query.insertInto('connectorKeys').values({
      kid: value('kid'),
      connectorId: value('connectorId'),
      algorithm: value('algorithm'),
      isActive: value('isActive'),
      publicJwk: value('publicJwk'),
      certificate: value('certificate'),
      sealedPrivateJwk: value('sealedPrivateJwk'),
      createdAt: value('createdAt'),
    }),
  );
  const deactivate = database.statement<{ connectorId: string }>()((value) =>
    query
      .updateTable('connectorKeys')
      .set({ isActive: 0 })
      .where('connectorId', '=', value('connectorId'))
      .where('isActive', '=', 1),
  );
  const activate = database.statement<{ connectorId: string; kid: string }>()((value) =>
    query
      .updateTable('connectorKeys')
      .set({ isActive: 1 })
      .where('connectorId', '=', value('connectorId'))
      .where('kid', '=', value('kid')),
  );
  const deletePublished = database.statement<{ connectorId: string; kid: string }>()((value) =>
    query
      .deleteFrom('connectorKeys')
      .where('connectorId', '=', value('connectorId'))
      .where('kid', '=', value('kid'))
      .where('isActive', '=', 0),
  );
  const deleteOfConnector = database.statement<{ connectorId: string }>()((value) =>
    query.deleteFrom('connectorKeys').where('connectorId', '=', value('connectorId')),
  );

  return {
    /** The oldest first. */
    async list(connectorId: string): Promise<StoredConnectorKey[]> {
      return (await database.list(listOfConnector({ connectorId }))).map(toStored);
    },
    insert: ({ key, sealedPrivateJwk }: StoredConnectorKey): Expected =>
      exactly(
        1,
        insert({
          ...key,
          sealedPrivateJwk,
          isActive: key.isActive ? 1 : 0,
          publicJwk: JSON.stringify(key.publicJwk),
        }),
      ),
    /** The second statement matches one row while the key is there. */
    activate: (connectorId: string, kid: string): readonly [Bound<unknown>, Expected] => [
      deactivate({ connectorId }),
      exactly(1, activate({ connectorId, kid })),
    ],
    /** Matches one row unless the key is the one that signs. */
    delete: (connectorId: string, kid: string): Expected => exactly(1, deletePublished({ connectorId, kid })),
    deleteAll: (connectorId: string): Bound<unknown> => deleteOfConnector({ connectorId }),
  };
}

function toStored({ sealedPrivateJwk, ...row }: ConnectorKeyRow): StoredConnectorKey {
  return {
    sealedPrivateJwk,
    key: { ...row, isActive: row.isActive === 1, publicJwk: JSON.parse(row.publicJwk) as JWK },
  };
}
