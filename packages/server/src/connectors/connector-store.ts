import type { Database } from '#database';
import type { Connector } from './connector.ts';

type ConnectorRow = {
  id: string;
  teamId: string;
  name: string;
  type: 'oidc';
  issuer: string;
  clientId: string;
  clientSecretSealed: string | null;
  tokenEndpointAuthMethod: Connector['tokenEndpointAuthMethod'];
  authorizationEndpoint: string;
  tokenEndpoint: string;
  jwksUri: string;
  userinfoEndpoint: string | null;
  endSessionEndpoint: string | null;
  scopes: string;
  forwardedClaims: string;
  idTokenSigningAlgorithms: string;
  issParameterSupported: number;
  usesRefreshTokens: number;
  createdAt: number;
  updatedAt: number;
};

/** A connector with its secret as it is stored. */
export type StoredConnector = { connector: Connector; clientSecretSealed: string | undefined };

export function createConnectorStore(database: Database) {
  const query = database.queries<{ connectors: ConnectorRow }>();

  const findById = database.statement<{ id: string }>()((value) =>
    query.selectFrom('connectors').selectAll().where('id', '=', value('id')),
  );

  const listByTeam = database.statement<{ teamId: string }>()((value) =>
    query
      .selectFrom('connectors')
      .selectAll()
      .where('teamId', '=', value('teamId'))
      .orderBy('createdAt')
      .orderBy('id'),
  );

  const insert = database.statement<ConnectorRow>()((value) =>
    query.insertInto('connectors').values({
      id: value('id'),
      teamId: value('teamId'),
      name: value('name'),
      type: value('type'),
      issuer: value('issuer'),
      clientId: value('clientId'),
      clientSecretSealed: value('clientSecretSealed'),
      tokenEndpointAuthMethod: value('tokenEndpointAuthMethod'),
      authorizationEndpoint: value('authorizationEndpoint'),
      tokenEndpoint: value('tokenEndpoint'),
      jwksUri: value('jwksUri'),
      userinfoEndpoint: value('userinfoEndpoint'),
      endSessionEndpoint: value('endSessionEndpoint'),
      scopes: value('scopes'),
      forwardedClaims: value('forwardedClaims'),
      idTokenSigningAlgorithms: value('idTokenSigningAlgorithms'),
      issParameterSupported: value('issParameterSupported'),
      usesRefreshTokens: value('usesRefreshTokens'),
      createdAt: value('createdAt'),
      updatedAt: value('updatedAt'),
    }),
  );

  const update = database.statement<ConnectorRow & { previousUpdatedAt: number }>()((value) =>
    query
      .updateTable('connectors')
      .set({
        name: value('name'),
        issuer: value('issuer'),
        clientId: value('clientId'),
        clientSecretSealed: value('clientSecretSealed'),
        tokenEndpointAuthMethod: value('tokenEndpointAuthMethod'),
        authorizationEndpoint: value('authorizationEndpoint'),
        tokenEndpoint: value('tokenEndpoint'),
        jwksUri: value('jwksUri'),
        userinfoEndpoint: value('userinfoEndpoint'),
        endSessionEndpoint: value('endSessionEndpoint'),
        scopes: value('scopes'),
        forwardedClaims: value('forwardedClaims'),
        idTokenSigningAlgorithms: value('idTokenSigningAlgorithms'),
        issParameterSupported: value('issParameterSupported'),
        usesRefreshTokens: value('usesRefreshTokens'),
        updatedAt: value('updatedAt'),
      })
      .where('id', '=', value('id'))
      .where('teamId', '=', value('teamId'))
      .where('updatedAt', '=', value('previousUpdatedAt')),
  );

  const deleteById = database.statement<{ id: string; teamId: string }>()((value) =>
    query.deleteFrom('connectors').where('id', '=', value('id')).where('teamId', '=', value('teamId')),
  );

  return {
    async find(id: string): Promise<StoredConnector | undefined> {
      const row = await database.find(findById({ id }));
      return row && toStored(row);
    },
    async list(teamId: string): Promise<StoredConnector[]> {
      return (await database.list(listByTeam({ teamId }))).map(toStored);
    },
    insert: (stored: StoredConnector) => insert(toRow(stored)),
    /** Matches one row while nobody changed it since `previousUpdatedAt`. */
    update: (stored: StoredConnector, previousUpdatedAt: number) =>
      update({ ...toRow(stored), previousUpdatedAt }),
    delete: (connector: Connector) => deleteById({ id: connector.id, teamId: connector.teamId }),
  };
}

function toRow({ connector, clientSecretSealed }: StoredConnector): ConnectorRow {
  const { hasClientSecret: _, authorizationResponseIssParameterSupported, ...rest } = connector;
  return {
    ...rest,
    clientSecretSealed: clientSecretSealed ?? null,
    userinfoEndpoint: connector.userinfoEndpoint ?? null,
    endSessionEndpoint: connector.endSessionEndpoint ?? null,
    scopes: JSON.stringify(connector.scopes),
    forwardedClaims: JSON.stringify(connector.forwardedClaims),
    idTokenSigningAlgorithms: JSON.stringify(connector.idTokenSigningAlgorithms),
    issParameterSupported: authorizationResponseIssParameterSupported ? 1 : 0,
    usesRefreshTokens: connector.usesRefreshTokens ? 1 : 0,
  };
}

function toStored(row: ConnectorRow): StoredConnector {
  const { clientSecretSealed, issParameterSupported, ...rest } = row;
  return {
    clientSecretSealed: clientSecretSealed ?? undefined,
    connector: {
      ...rest,
      hasClientSecret: clientSecretSealed !== null,
      userinfoEndpoint: row.userinfoEndpoint ?? undefined,
      endSessionEndpoint: row.endSessionEndpoint ?? undefined,
      scopes: JSON.parse(row.scopes) as string[],
      forwardedClaims: JSON.parse(row.forwardedClaims) as string[],
      idTokenSigningAlgorithms: JSON.parse(row.idTokenSigningAlgorithms) as string[],
      authorizationResponseIssParameterSupported: issParameterSupported === 1,
      usesRefreshTokens: row.usesRefreshTokens === 1,
    },
  };
}
