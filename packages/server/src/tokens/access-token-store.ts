import { sql } from 'kysely';
import type { Bound, Database } from '#database';
import { accessTokenLifetimeSeconds, type AccessToken, type TokenFamily, type TokenReach } from './token.ts';
import { claimsOf, wordsOf } from './token-store.ts';

type AccessRow = {
  hash: string;
  familyId: string | null;
  clientId: string;
  userId: string | null;
  scopes: string;
  resources: string;
  dpopJkt: string | null;
  createdAt: number;
  expiresAt: number;
};
type FamilyRow = {
  id: string;
  sid: string;
  grantedTeamId: string | null;
  claims: string | null;
  revokedAt: number | null;
};

export type AccessTokenStore = ReturnType<typeof createAccessTokenStore>;

/** Access tokens, opaque or not: a token is in force as long as its hash is here and its family has not ended. */
export function createAccessTokenStore(database: Database) {
  const query = database.queries<{ accessTokens: AccessRow; tokenFamilies: FamilyRow }>();
  const { now } = database;

  const insert = database.statement<Omit<AccessRow, 'createdAt' | 'expiresAt'>>()((value) =>
    query.insertInto('accessTokens').values({
      hash: value('hash'),
      familyId: value('familyId'),
      clientId: value('clientId'),
      userId: value('userId'),
      scopes: value('scopes'),
      resources: value('resources'),
      dpopJkt: value('dpopJkt'),
      createdAt: now,
      expiresAt: sql<number>`${now} + ${sql.lit(accessTokenLifetimeSeconds * 1000)}`,
    }),
  );
  const find = database.statement<{ hash: string }>()((value) =>
    query
      .selectFrom('accessTokens as token')
      .leftJoin('tokenFamilies as family', 'family.id', 'token.familyId')
      .select([
        'token.hash',
        'token.familyId',
        'token.clientId',
        'token.userId',
        'token.scopes',
        'token.resources',
        'token.dpopJkt',
        'token.createdAt',
        'token.expiresAt',
        'family.sid',
        'family.grantedTeamId',
        'family.claims',
      ])
      .where('token.hash', '=', value('hash'))
      .where('token.expiresAt', '>', now)
      .where('family.revokedAt', 'is', null)
      // A family that is gone takes its tokens along.
      .where((either) =>
        either.or([either('token.familyId', 'is', null), either('family.id', 'is not', null)]),
      ),
  );
  const deleteOne = database.statement<{ hash: string }>()((value) =>
    query.deleteFrom('accessTokens').where('hash', '=', value('hash')),
  );
  const deleteOfClient = database.statement<{ clientId: string }>()((value) =>
    query.deleteFrom('accessTokens').where('clientId', '=', value('clientId')),
  );

  return {
    insert: (token: {
      hash: string;
      clientId: string;
      reach: TokenReach;
      dpopJkt: string | undefined;
      family: Pick<TokenFamily, 'id' | 'userId'> | undefined;
    }): Bound<unknown> =>
      insert({
        hash: token.hash,
        familyId: token.family?.id ?? null,
        clientId: token.clientId,
        userId: token.family?.userId ?? null,
        scopes: token.reach.scopes.join(' '),
        resources: token.reach.resources.join(' '),
        dpopJkt: token.dpopJkt ?? null,
      }),
    async find(hash: string): Promise<Omit<AccessToken, 'jti' | 'isForUs'> | undefined> {
      const row = await database.find(find({ hash }));
      if (row === undefined) return undefined;
      return {
        id: row.hash,
        clientId: row.clientId,
        userId: row.userId ?? undefined,
        familyId: row.familyId ?? undefined,
        sid: row.sid ?? undefined,
        scopes: wordsOf(row.scopes),
        resources: wordsOf(row.resources),
        grantedTeamId: row.grantedTeamId ?? undefined,
        claims: claimsOf(row.claims),
        dpopJkt: row.dpopJkt ?? undefined,
        createdAt: row.createdAt,
        expiresAt: row.expiresAt,
      };
    },
    delete: (hash: string): Bound<unknown> => deleteOne({ hash }),
    deleteOfClient: (clientId: string): Bound<unknown> => deleteOfClient({ clientId }),
  };
}
