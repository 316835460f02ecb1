import { sql } from 'kysely';
import { exactly, type Bound, type Database, type Expected } from '#database';
import type { Connector } from './connector.ts';

type ConnectorRow = {
  id: string;
  teamId: string;
  name: string;
  type: Connector['type'];
  issuer: string;
  clientId: string;
  clientSecretSealed: string | null;
  clientSecretSetAt: number | null;
  tokenEndpointAuthMethod: Connector['tokenEndpointAuthMethod'];
  clientAssertionAudience: Connector['clientAssertionAudience'];
  authorizationEndpoint: string;
  tokenEndpoint: string;
  /** Empty where there is none: the column is older than providers without keys. */
  jwksUri: string;
  userinfoEndpoint: string | null;
  endSessionEndpoint: string | null;
  subjectClaim: string;
  scopes: string;
  forwardedClaims: string;
  idTokenSigningAlgorithms: string;
  issParameterSupported: number;
  usesRefreshTokens: number;
  usesOwnRedirectUri: number;
  credentialsUsedAt: number | null;
  createdAt: number;
  updatedAt: number;
};

/** A connector with its secret as it is stored. */
export type StoredConnector = { connector: Connector; clientSecretSealed: string | undefined };

/** Where another room keeps settings as JSON text with a member `connectorId`, in a table with a `teamId` or its id. */
export type ConnectorUse = { table: string; column: string; teamColumn: string };

export type ConnectorPage = { after?: { createdAt: number; id: string } | undefined; limit: number };

/** How often a row is written to tell that it is used. */
const usedPrecisionMilliseconds = 60_000;

export function createConnectorStore(database: Database, uses: readonly ConnectorUse[]) {
  const query = database.queries<{ connectors: ConnectorRow }>();

  const findById = database.statement<{ id: string }>()((value) =>
    query.selectFrom('connectors').selectAll().where('id', '=', value('id')),
  );

  const listByTeam = database.statement<{ teamId: string; at: number; id: string; limit: number }>()(
    (value) =>
      query
        .selectFrom('connectors')
        .selectAll()
        .where('teamId', '=', value('teamId'))
        .where((row) =>
          row.or([
            row('createdAt', '>', value('at')),
            row.and([row('createdAt', '=', value('at')), row('id', '>', value('id'))]),
          ]),
        )
        .orderBy('createdAt')
        .orderBy('id')
        .limit(value('limit')),
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
      clientSecretSetAt: value('clientSecretSetAt'),
      tokenEndpointAuthMethod: value('tokenEndpointAuthMethod'),
      clientAssertionAudience: value('clientAssertionAudience'),
      authorizationEndpoint: value('authorizationEndpoint'),
      tokenEndpoint: value('tokenEndpoint'),
      jwksUri: value('jwksUri'),
      userinfoEndpoint: value('userinfoEndpoint'),
      endSessionEndpoint: value('endSessionEndpoint'),
      subjectClaim: value('subjectClaim'),
      scopes: value('scopes'),
      forwardedClaims: value('forwardedClaims'),
      idTokenSigningAlgorithms: value('idTokenSigningAlgorithms'),
      issParameterSupported: value('issParameterSupported'),
      usesRefreshTokens: value('usesRefreshTokens'),
      usesOwnRedirectUri: value('usesOwnRedirectUri'),
      credentialsUsedAt: value('credentialsUsedAt'),
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
        clientSecretSetAt: value('clientSecretSetAt'),
        tokenEndpointAuthMethod: value('tokenEndpointAuthMethod'),
        clientAssertionAudience: value('clientAssertionAudience'),
        authorizationEndpoint: value('authorizationEndpoint'),
        tokenEndpoint: value('tokenEndpoint'),
        jwksUri: value('jwksUri'),
        userinfoEndpoint: value('userinfoEndpoint'),
        endSessionEndpoint: value('endSessionEndpoint'),
        subjectClaim: value('subjectClaim'),
        scopes: value('scopes'),
        forwardedClaims: value('forwardedClaims'),
        idTokenSigningAlgorithms: value('idTokenSigningAlgorithms'),
        issParameterSupported: value('issParameterSupported'),
        usesRefreshTokens: value('usesRefreshTokens'),
        usesOwnRedirectUri: value('usesOwnRedirectUri'),
        updatedAt: value('updatedAt'),
      })
      .where('id', '=', value('id'))
      .where('teamId', '=', value('teamId'))
      .where('updatedAt', '=', value('previousUpdatedAt')),
  );

  // A write that changes nothing: the row's lock keeps deletion and use of a connector apart, and a row that is gone
  // refuses the unit.
  const hold = database.statement<{ id: string; teamId: string }>()((value) =>
    query
      .updateTable('connectors')
      .set((row) => ({ updatedAt: row.ref('updatedAt') }))
      .where('id', '=', value('id'))
      .where('teamId', '=', value('teamId')),
  );

  const deleteUnused = database.statement<{ id: string; teamId: string; pattern: string }>()((value) =>
    query
      .deleteFrom('connectors')
      .where('id', '=', value('id'))
      .where('teamId', '=', value('teamId'))
      .where((row) =>
        row.and(
          uses.map(
            ({ table, column, teamColumn }) =>
              sql<boolean>`not exists (select 1 from ${sql.table(table)} where ${sql.ref(`${table}.${teamColumn}`)} = ${value('teamId')} and ${sql.ref(`${table}.${column}`)} like ${value('pattern')} escape '!')`,
          ),
        ),
      ),
  );

  const markUsed = database.statement<{ id: string; at: number; before: number }>()((value) =>
    query
      .updateTable('connectors')
      .set({ credentialsUsedAt: value('at') })
      .where('id', '=', value('id'))
      .where((row) =>
        row.or([row('credentialsUsedAt', 'is', null), row('credentialsUsedAt', '<', value('before'))]),
      ),
  );

  return {
    async find(id: string): Promise<StoredConnector | undefined> {
      const row = await database.find(findById({ id }));
      return row && toStored(row);
    },
    /** The oldest first. */
    async list(teamId: string, { after, limit }: ConnectorPage): Promise<StoredConnector[]> {
      const place = { at: after?.createdAt ?? -1, id: after?.id ?? '' };
      return (await database.list(listByTeam({ teamId, limit, ...place }))).map(toStored);
    },
    insert: (stored: StoredConnector) => insert(toRow(stored)),
    /** Matches one row while nobody changed it since `previousUpdatedAt`. */
    update: (stored: StoredConnector, previousUpdatedAt: number) =>
      update({ ...toRow(stored), previousUpdatedAt }),
    /** Matches one row while the connector is there, and keeps it there until the unit ends. */
    hold: (teamId: string, id: string): Expected => exactly(1, hold({ teamId, id })),
    /** Matches one row while nothing uses the connector. Comes after `hold` in its unit, so that it sees every use. */
    deleteUnused: ({ id, teamId }: Pick<Connector, 'id' | 'teamId'>): Expected =>
      exactly(1, deleteUnused({ id, teamId, pattern: usePattern(id) })),
    markUsed: (id: string, at: number): Bound<unknown> =>
      markUsed({ id, at, before: at - usedPrecisionMilliseconds }),
  };
}

function toRow({ connector, clientSecretSealed }: StoredConnector): ConnectorRow {
  const { hasClientSecret: _, authorizationResponseIssParameterSupported, ...rest } = connector;
  return {
    ...rest,
    clientSecretSealed: clientSecretSealed ?? null,
    clientSecretSetAt: connector.clientSecretSetAt ?? null,
    jwksUri: connector.jwksUri ?? '',
    credentialsUsedAt: connector.credentialsUsedAt ?? null,
    userinfoEndpoint: connector.userinfoEndpoint ?? null,
    endSessionEndpoint: connector.endSessionEndpoint ?? null,
    scopes: JSON.stringify(connector.scopes),
    forwardedClaims: JSON.stringify(connector.forwardedClaims),
    idTokenSigningAlgorithms: JSON.stringify(connector.idTokenSigningAlgorithms),
    issParameterSupported: authorizationResponseIssParameterSupported ? 1 : 0,
    usesRefreshTokens: connector.usesRefreshTokens ? 1 : 0,
    usesOwnRedirectUri: connector.usesOwnRedirectUri ? 1 : 0,
  };
}

function toStored(row: ConnectorRow): StoredConnector {
  const { clientSecretSealed, issParameterSupported, ...rest } = row;
  return {
    clientSecretSealed: clientSecretSealed ?? undefined,
    connector: {
      ...rest,
      hasClientSecret: clientSecretSealed !== null,
      clientSecretSetAt: row.clientSecretSetAt ?? undefined,
      credentialsUsedAt: row.credentialsUsedAt ?? undefined,
      jwksUri: row.jwksUri === '' ? undefined : row.jwksUri,
      userinfoEndpoint: row.userinfoEndpoint ?? undefined,
      endSessionEndpoint: row.endSessionEndpoint ?? undefined,
      scopes: JSON.parse(row.scopes) as string[],
      forwardedClaims: JSON.parse(row.forwardedClaims) as string[],
      idTokenSigningAlgorithms: JSON.parse(row.idTokenSigningAlgorithms) as string[],
      authorizationResponseIssParameterSupported: issParameterSupported === 1,
      usesRefreshTokens: row.usesRefreshTokens === 1,
      usesOwnRedirectUri: row.usesOwnRedirectUri === 1,
    },
  };
}

/** The member as `JSON.stringify` writes it; the `_` of an id would stand for any character. */
function usePattern(id: string): string {
  return `%"connectorId":"${id.replaceAll(/[!%_]/g, '!$&')}"%`;
}
