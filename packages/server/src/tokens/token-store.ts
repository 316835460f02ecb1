import { sql } from 'kysely';
import { exactly, type Bound, type Database, type Expected } from '#database';
import {
  familyLifetimeMilliseconds,
  retryWindowMilliseconds,
  type RefreshToken,
  type RequestedClaims,
  type RevocationReason,
  type TokenFamily,
} from './token.ts';

type FamilyRow = {
  id: string;
  clientId: string;
  userId: string;
  sid: string;
  scopes: string;
  authenticatedAt: number;
  amr: string;
  redirectHost: string;
  resources: string;
  grantedTeamId: string | null;
  claims: string | null;
  acr: string | null;
  dpopJkt: string | null;
  createdAt: number;
  lastUsedAt: number;
  expiresAt: number;
  revokedAt: number | null;
  revokedReason: RevocationReason | null;
};
type RefreshRow = {
  hash: string;
  familyId: string;
  accessHash: string;
  usedAt: number | null;
  salt: string | null;
  successorHash: string | null;
  createdAt: number;
};
type TokenTables = { tokenFamilies: FamilyRow; accessTokens: { hash: string }; refreshTokens: RefreshRow };
type NewFamilyRow = Omit<FamilyRow, 'createdAt' | 'lastUsedAt' | 'expiresAt' | 'revokedAt' | 'revokedReason'>;

export type TokenStore = ReturnType<typeof createTokenStore>;

/** Families and refresh tokens. Every lifetime is judged by the database's clock, so that nodes whose clocks differ agree. */
export function createTokenStore(database: Database) {
  const query = database.queries<TokenTables>();
  const { now } = database;

  const insertFamily = database.statement<NewFamilyRow>()((value) =>
    query
      .insertInto('tokenFamilies')
      .values({
        id: value('id'),
        clientId: value('clientId'),
        userId: value('userId'),
        sid: value('sid'),
        scopes: value('scopes'),
        authenticatedAt: value('authenticatedAt'),
        amr: value('amr'),
        redirectHost: value('redirectHost'),
        resources: value('resources'),
        grantedTeamId: value('grantedTeamId'),
        claims: value('claims'),
        acr: value('acr'),
        dpopJkt: value('dpopJkt'),
        createdAt: now,
        lastUsedAt: now,
        expiresAt: sql<number>`${now} + ${sql.lit(familyLifetimeMilliseconds)}`,
      })
      .onConflict((conflict) => conflict.doNothing()),
  );
  const touchFamily = database.statement<{ id: string }>()((value) =>
    query
      .updateTable('tokenFamilies')
      .set({ lastUsedAt: now })
      .where('id', '=', value('id'))
      .where('revokedAt', 'is', null)
      .where('expiresAt', '>', now),
  );
  const revokeFamily = database.statement<{ id: string; reason: RevocationReason }>()((value) =>
    query
      .updateTable('tokenFamilies')
      .set({ revokedAt: now, revokedReason: value('reason') })
      .where('id', '=', value('id'))
      .where('revokedAt', 'is', null),
  );
  const revokeFamiliesOfClient = database.statement<{ clientId: string; reason: RevocationReason }>()(
    (value) =>
      query
        .updateTable('tokenFamilies')
        .set({ revokedAt: now, revokedReason: value('reason') })
        .where('clientId', '=', value('clientId'))
        .where('revokedAt', 'is', null),
  );
  const insertRefresh = database.statement<Pick<RefreshRow, 'hash' | 'familyId' | 'accessHash'>>()((value) =>
    query.insertInto('refreshTokens').values({
      hash: value('hash'),
      familyId: value('familyId'),
      accessHash: value('accessHash'),
      createdAt: now,
    }),
  );
  const findRefresh = database.statement<{ hash: string }>()((value) =>
    query
      .selectFrom('refreshTokens as token')
      .innerJoin('tokenFamilies as family', 'family.id', 'token.familyId')
      .leftJoin('refreshTokens as successor', 'successor.hash', 'token.successorHash')
      .select([
        'token.hash',
        'token.createdAt as issuedAt',
        'token.salt',
        'family.id',
        'family.clientId',
        'family.userId',
        'family.sid',
        'family.scopes',
        'family.authenticatedAt',
        'family.amr',
        'family.redirectHost',
        'family.resources',
        'family.grantedTeamId',
        'family.claims',
        'family.acr',
        'family.dpopJkt',
        'family.expiresAt',
      ])
      .select((column) => [
        column
          .case()
          .when('token.usedAt', 'is', null)
          .then('live' as const)
          .when(
            sql<boolean>`${sql.ref('successor.usedAt')} is null and ${sql.ref('token.usedAt')} > ${now} - ${sql.lit(retryWindowMilliseconds)}`,
          )
          .then('retry' as const)
          .else('used' as const)
          .end()
          .as('state'),
        column
          .case()
          .when('family.revokedAt', 'is not', null)
          .then('revoked' as const)
          .when('family.expiresAt', '<=', now)
          .then('expired' as const)
          .else(null)
          .end()
          .as('ended'),
      ])
      .where('token.hash', '=', value('hash')),
  );
  const markUsed = database.statement<{ hash: string; salt: string; successorHash: string }>()((value) =>
    query
      .updateTable('refreshTokens')
      .set({ usedAt: now, salt: value('salt'), successorHash: value('successorHash') })
      .where('hash', '=', value('hash'))
      .where('usedAt', 'is', null),
  );
  const keepLive = database.statement<{ hash: string; accessHash: string }>()((value) =>
    query
      .updateTable('refreshTokens')
      .set({ accessHash: value('accessHash') })
      .where('hash', '=', value('hash'))
      .where('usedAt', 'is', null),
  );
  const deleteAccessOfLeaf = database.statement<{ hash: string }>()((value) =>
    query
      .deleteFrom('accessTokens')
      .where(
        'hash',
        '=',
        query
          .selectFrom('refreshTokens')
          .select('accessHash')
          .where('refreshTokens.hash', '=', value('hash')),
      ),
  );
  // Everything that a retry rests on is in this one condition: the window, and the successor still unused.
  const replaceAccessOfLeaf = database.statement<{
    hash: string;
    presentedHash: string;
    accessHash: string;
  }>()((value) =>
    query
      .updateTable('refreshTokens')
      .set({ accessHash: value('accessHash') })
      .where('hash', '=', value('hash'))
      .where('usedAt', 'is', null)
      .where((where) =>
        where.exists(
          query
            .selectFrom('refreshTokens as presented')
            .select('presented.hash')
            .where('presented.hash', '=', value('presentedHash'))
            .where(
              sql<boolean>`${sql.ref('presented.usedAt')} > ${now} - ${sql.lit(retryWindowMilliseconds)}`,
            ),
        ),
      ),
  );

  return {
    /** Refused when the family is there: a code makes one. */
    insertFamily: (family: TokenFamily): Expected =>
      exactly(
        1,
        insertFamily({
          ...family,
          scopes: family.scopes.join(' '),
          amr: family.amr.join(' '),
          resources: family.resources.join(' '),
          grantedTeamId: family.grantedTeamId ?? null,
          claims: family.claims === undefined ? null : JSON.stringify(family.claims),
          acr: family.acr ?? null,
          dpopJkt: family.dpopJkt ?? null,
        }),
      ),
    /** Orders all that happens to a family, by its row's lock; refused when the family has ended. */
    touchFamily: (id: string): Expected => exactly(1, touchFamily({ id })),
    revokeFamily: (id: string, reason: RevocationReason): Bound<unknown> => revokeFamily({ id, reason }),
    revokeFamiliesOfClient: (clientId: string, reason: RevocationReason): Bound<unknown> =>
      revokeFamiliesOfClient({ clientId, reason }),
    insertRefresh: (token: { hash: string; familyId: string; accessHash: string }): Bound<unknown> =>
      insertRefresh(token),
    async findRefresh(hash: string): Promise<RefreshToken | undefined> {
      const row = await database.find(findRefresh({ hash }));
      if (row === undefined) return undefined;
      return {
        id: row.hash,
        family: {
          id: row.id,
          clientId: row.clientId,
          userId: row.userId,
          sid: row.sid,
          scopes: wordsOf(row.scopes),
          authenticatedAt: row.authenticatedAt,
          amr: wordsOf(row.amr),
          redirectHost: row.redirectHost,
          resources: wordsOf(row.resources),
          grantedTeamId: row.grantedTeamId ?? undefined,
          claims: claimsOf(row.claims),
          acr: row.acr ?? undefined,
          dpopJkt: row.dpopJkt ?? undefined,
        },
        createdAt: row.issuedAt,
        expiresAt: row.expiresAt,
        state: row.state,
        salt: row.salt ?? undefined,
        ended: row.ended ?? undefined,
      };
    },
    /** Uses it up: of any number of uses at once, one. */
    markUsed: (hash: string, salt: string, successorHash: string): Expected =>
      exactly(1, markUsed({ hash, salt, successorHash })),
    /** Another access token beside a refresh token that stays as it is; refused when it was used up. */
    keepLive: (hash: string, accessHash: string): Expected => exactly(1, keepLive({ hash, accessHash })),
    /** Puts another access token in the place of the one that was issued beside this leaf. */
    replaceAccessOfLeaf: (
      leafHash: string,
      presentedHash: string,
      accessHash: string,
    ): readonly (Bound<unknown> | Expected)[] => [
      deleteAccessOfLeaf({ hash: leafHash }),
      exactly(1, replaceAccessOfLeaf({ hash: leafHash, presentedHash, accessHash })),
    ],
  };
}

export function claimsOf(text: string | null): RequestedClaims | undefined {
  return text === null ? undefined : (JSON.parse(text) as RequestedClaims);
}

export function wordsOf(text: string): string[] {
  return text === '' ? [] : text.split(' ');
}
