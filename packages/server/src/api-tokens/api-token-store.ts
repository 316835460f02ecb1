import type { Database, Expected } from '#database';
import { exactly } from '#database';
import type { ApiToken } from './api-token.ts';

type ApiTokenRow = {
  id: string;
  userId: string;
  teamId: string | null;
  name: string;
  tokenHash: string;
  last4: string;
  permissions: string;
  projectIds: string;
  builds: string;
  freshUntil: number;
  createdAt: number;
  expiresAt: number;
  lastUsedAt: number | null;
  revokedAt: number | null;
};

export function createApiTokenStore(database: Database) {
  const query = database.queries<{ apiTokens: ApiTokenRow }>();

  // Expiry is judged by the database's clock, so that nodes whose clocks differ agree.
  const selectLive = database.statement<{ tokenHash: string }>()((value) =>
    query
      .selectFrom('apiTokens')
      .selectAll()
      .where('tokenHash', '=', value('tokenHash'))
      .where('revokedAt', 'is', null)
      .where('expiresAt', '>', database.now),
  );
  const selectRevoked = database.statement<{ id: string }>()((value) =>
    query.selectFrom('apiTokens').select('revokedAt').where('id', '=', value('id')),
  );
  const selectOfUser = database.statement<{ userId: string }>()((value) =>
    query
      .selectFrom('apiTokens')
      .selectAll()
      .where('userId', '=', value('userId'))
      .where('revokedAt', 'is', null)
      .orderBy('createdAt', 'desc')
      .orderBy('id')
      .limit(500),
  );
  const insertToken = database.statement<ApiTokenRow>()((value) =>
    query.insertInto('apiTokens').values({
      id: value('id'),
      userId: value('userId'),
      teamId: value('teamId'),
      name: value('name'),
      tokenHash: value('tokenHash'),
      last4: value('last4'),
      permissions: value('permissions'),
      projectIds: value('projectIds'),
      builds: value('builds'),
      freshUntil: value('freshUntil'),
      createdAt: value('createdAt'),
      expiresAt: value('expiresAt'),
      lastUsedAt: value('lastUsedAt'),
      revokedAt: value('revokedAt'),
    }),
  );
  const revokeToken = database.statement<{ userId: string; id: string; revokedAt: number }>()((value) =>
    query
      .updateTable('apiTokens')
      .set({ revokedAt: value('revokedAt') })
      .where('id', '=', value('id'))
      .where('userId', '=', value('userId'))
      .where('revokedAt', 'is', null),
  );
  const touchToken = database.statement<{ id: string; lastUsedAt: number; before: number }>()((value) =>
    query
      .updateTable('apiTokens')
      .set({ lastUsedAt: value('lastUsedAt') })
      .where('id', '=', value('id'))
      .where((row) => row.or([row('lastUsedAt', 'is', null), row('lastUsedAt', '<', value('before'))])),
  );

  return {
    /** The token with this hash, unless it is revoked or expired. */
    async findLive(tokenHash: string): Promise<ApiToken | undefined> {
      const row = await database.find(selectLive({ tokenHash }));
      return row && apiTokenOf(row);
    },
    /** Whether somebody revoked the token; true when there is none. */
    async isRevoked(id: string): Promise<boolean> {
      const row = await database.find(selectRevoked({ id }));
      return row === undefined || row.revokedAt !== null;
    },
    /** Not the revoked ones; the newest first. */
    async listOfUser(userId: string): Promise<ApiToken[]> {
      return (await database.list(selectOfUser({ userId }))).map(apiTokenOf);
    },
    insert: (token: ApiToken, tokenHash: string): Expected =>
      exactly(
        1,
        insertToken({
          id: token.id,
          userId: token.userId,
          teamId: token.teamId ?? null,
          name: token.name,
          tokenHash,
          last4: token.last4,
          permissions: JSON.stringify(token.permissions),
          projectIds: JSON.stringify(token.projectIds),
          builds: JSON.stringify(token.builds),
          freshUntil: token.freshUntil,
          createdAt: token.createdAt,
          expiresAt: token.expiresAt,
          lastUsedAt: null,
          revokedAt: null,
        }),
      ),
    /** No row when the person has no such token, or it is revoked already. */
    revoke: (userId: string, id: string, revokedAt: number): Expected =>
      exactly(1, revokeToken({ userId, id, revokedAt })),
    /** Writes the time of use unless one from after `before` is written. */
    touch: (id: string, lastUsedAt: number, before: number) => touchToken({ id, lastUsedAt, before }),
  };
}

function apiTokenOf(row: ApiTokenRow): ApiToken {
  return {
    id: row.id,
    userId: row.userId,
    teamId: row.teamId ?? undefined,
    name: row.name,
    last4: row.last4,
    permissions: JSON.parse(row.permissions) as ApiToken['permissions'],
    projectIds: JSON.parse(row.projectIds) as string[],
    builds: JSON.parse(row.builds) as ApiToken['builds'],
    freshUntil: row.freshUntil,
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    lastUsedAt: row.lastUsedAt ?? undefined,
  };
}
