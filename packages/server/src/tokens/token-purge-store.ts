import { sql } from 'kysely';
import type { Bound, Database } from '#database';
import { familyLifetimeMilliseconds } from './token.ts';

type TokenTables = {
  accessTokens: { hash: string; expiresAt: number };
  refreshTokens: { hash: string; createdAt: number };
  tokenFamilies: { id: string; expiresAt: number; revokedAt: number | null };
};

const hour = 60 * 60_000;
const day = 24 * hour;

/**
 * Deletes tokens whose time is over. A used refresh token stays as long as its family could live, since presenting it
 * again must end the family.
 */
export function createTokenPurges({ database }: { database: Database }) {
  const query = database.queries<TokenTables>();
  const before = (milliseconds: number) => sql<number>`${database.now} - ${sql.lit(milliseconds)}`;

  const deleteAccessTokens = database.statement<{ most: number }>()((value) =>
    query
      .deleteFrom('accessTokens')
      .where('hash', 'in', (over) =>
        over
          .selectFrom('accessTokens')
          .select('hash')
          .where('expiresAt', '<=', before(hour))
          .orderBy('expiresAt')
          .limit(value('most')),
      ),
  );
  const deleteRefreshTokens = database.statement<{ most: number }>()((value) =>
    query.deleteFrom('refreshTokens').where('hash', 'in', (over) =>
      over
        .selectFrom('refreshTokens')
        .select('hash')
        .where('createdAt', '<=', before(familyLifetimeMilliseconds + day))
        .orderBy('createdAt')
        .limit(value('most')),
    ),
  );
  const deleteExpiredFamilies = database.statement<{ most: number }>()((value) =>
    query
      .deleteFrom('tokenFamilies')
      .where('id', 'in', (over) =>
        over
          .selectFrom('tokenFamilies')
          .select('id')
          .where('expiresAt', '<=', before(day))
          .orderBy('expiresAt')
          .limit(value('most')),
      ),
  );
  const deleteRevokedFamilies = database.statement<{ most: number }>()((value) =>
    query
      .deleteFrom('tokenFamilies')
      .where('id', 'in', (over) =>
        over
          .selectFrom('tokenFamilies')
          .select('id')
          .where('revokedAt', 'is not', null)
          .where('revokedAt', '<=', before(day))
          .orderBy('revokedAt')
          .limit(value('most')),
      ),
  );

  return {
    accessTokens: (most: number): Bound<unknown>[] => [deleteAccessTokens({ most })],
    refreshTokens: (most: number): Bound<unknown>[] => [deleteRefreshTokens({ most })],
    expiredFamilies: (most: number): Bound<unknown>[] => [deleteExpiredFamilies({ most })],
    revokedFamilies: (most: number): Bound<unknown>[] => [deleteRevokedFamilies({ most })],
  };
}
