import { sql } from 'kysely';
import type { Bound, Database } from '#database';
import type { RevocationReason } from './token.ts';

type SessionTables = {
  tokenFamilies: {
    id: string;
    clientId: string;
    sid: string;
    scopes: string;
    revokedAt: number | null;
    revokedReason: RevocationReason | null;
  };
  accessTokens: { hash: string; familyId: string | null };
};

export type SessionTokens = ReturnType<typeof createSessionTokens>;

/** Tokens as they belong to a login session. */
export function createSessionTokens(database: Database) {
  const query = database.queries<SessionTables>();

  const revokeFamilies = database.statement<{ sid: string }>()((value) =>
    query
      .updateTable('tokenFamilies')
      .set({ revokedAt: database.now, revokedReason: 'session_ended' })
      .where('sid', '=', value('sid'))
      .where('revokedAt', 'is', null)
      .where(sql<boolean>`' ' || "scopes" || ' ' not like '% offline_access %'`),
  );
  const deleteAccess = database.statement<{ sid: string }>()((value) =>
    query
      .deleteFrom('accessTokens')
      .where(
        'familyId',
        'in',
        query.selectFrom('tokenFamilies').select('tokenFamilies.id').where('sid', '=', value('sid')),
      ),
  );
  const listClients = database.statement<{ sid: string }>()((value) =>
    query.selectFrom('tokenFamilies').select('clientId').distinct().where('sid', '=', value('sid')),
  );

  return {
    /**
     * What the end of a login session does to the tokens that came from it: every access token ends at once, and
     * every family without `offline_access`. A refresh token that was granted for when the person is away goes on
     * (OpenID Connect Back-Channel Logout 1.0, 2.7). For the unit that ends the session.
     */
    endOfSession: (sid: string): readonly Bound<unknown>[] => [
      revokeFamilies({ sid }),
      deleteAccess({ sid }),
    ],

    /** The apps that somebody signed in to at this session, also those whose tokens have ended since. */
    listClientsOfSession: async (sid: string): Promise<string[]> =>
      (await database.list(listClients({ sid }))).map(({ clientId }) => clientId),
  };
}
