import type { Bound, Database } from '#database';
import type { RevocationReason } from './token.ts';

type PersonTables = {
  tokenFamilies: {
    id: string;
    clientId: string;
    userId: string;
    lastUsedAt: number;
    expiresAt: number;
    revokedAt: number | null;
    revokedReason: RevocationReason | null;
  };
  accessTokens: { hash: string; clientId: string; userId: string | null };
};

export type PersonTokens = ReturnType<typeof createPersonTokens>;

/** Tokens as they belong to a person. */
export function createPersonTokens(database: Database) {
  const query = database.queries<PersonTables>();

  const listClients = database.statement<{ userId: string }>()((value) =>
    query
      .selectFrom('tokenFamilies')
      .select(({ fn }) => ['clientId', fn.max('lastUsedAt').as('lastUsedAt')])
      .where('userId', '=', value('userId'))
      .where('revokedAt', 'is', null)
      .where('expiresAt', '>', database.now)
      .groupBy('clientId'),
  );
  const revokeFamilies = database.statement<{ userId: string; clientId: string }>()((value) =>
    query
      .updateTable('tokenFamilies')
      .set({ revokedAt: database.now, revokedReason: 'revoked_by_person' })
      .where('clientId', '=', value('clientId'))
      .where('userId', '=', value('userId'))
      .where('revokedAt', 'is', null),
  );
  const deleteAccess = database.statement<{ userId: string; clientId: string }>()((value) =>
    query
      .deleteFrom('accessTokens')
      .where('clientId', '=', value('clientId'))
      .where('userId', '=', value('userId')),
  );

  const revokeAllFamilies = database.statement<{ userId: string }>()((value) =>
    query
      .updateTable('tokenFamilies')
      .set({ revokedAt: database.now, revokedReason: 'account_disabled' })
      .where('userId', '=', value('userId'))
      .where('revokedAt', 'is', null),
  );
  const deleteAllAccess = database.statement<{ userId: string }>()((value) =>
    query.deleteFrom('accessTokens').where('userId', '=', value('userId')),
  );

  return {
    /** Ends all that any app holds of a person; for the unit that disables their account. */
    endAllOfPerson: (userId: string): readonly Bound<unknown>[] => [
      revokeAllFamilies({ userId }),
      deleteAllAccess({ userId }),
    ],

    /** The apps that hold tokens of a person, and when each last got one. */
    listClientsOfPerson: (userId: string): Promise<{ clientId: string; lastUsedAt: number }[]> =>
      database.list(listClients({ userId })),

    /** Ends all that an app holds of a person; for the unit that takes their consent back. */
    endOfPerson: (userId: string, clientId: string): readonly Bound<unknown>[] => [
      revokeFamilies({ userId, clientId }),
      deleteAccess({ userId, clientId }),
    ],
  };
}
