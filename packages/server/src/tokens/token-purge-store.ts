import { sql } from 'kysely';
import type { Bound, Database } from '#database';
import { familyLifetimeMilliseconds } from './token.ts';

type TokenTables = {
  accessTokens: { hash: string; expiresAt: number };
  refreshTokens: { hash: string; createdAt: number };
  tokenFamilies: { id: string; expiresAt: number };
};

const hour = 60 * 60_000;
const day = 24 * hour;
/**
 * A family tells, revoked or expired, which apps hear of the end of the login that it came from; a login lasts as long
 * as a family, and begins before it.
 */
const keptForLogoutMilliseconds = familyLifetimeMilliseconds;

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
  const deleteFamilies = database.statement<{ most: number }>()((value) =>
    query
      .deleteFrom('tokenFamilies')
      .where('id', 'in', (over) =>
        over
          .selectFrom('tokenFamilies')
          .select('id')
          .where('expiresAt', '<=', before(keptForLogoutMilliseconds))
          .orderBy('expiresAt')
          .limit(value('most')),
      ),
  );
  return {
    accessTokens: (most: number): Bound<unknown>[] => [deleteAccessTokens({ most })],
    refreshTokens: (most: number): Bound<unknown>[] => [deleteRefreshTokens({ most })],
    tokenFamilies: (most: number): Bound<unknown>[] => [deleteFamilies({ most })],
  };
}
