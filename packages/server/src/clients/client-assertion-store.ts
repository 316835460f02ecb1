import { sql } from 'kysely';
import { exactly, type Bound, type Database, type Expected } from '#database';
import { hashSecret } from '#sealing';

type AssertionTables = { clientAssertions: { hash: string; expiresAt: number } };

export function createClientAssertionStore(database: Database) {
  const query = database.queries<AssertionTables>();
  const insert = database.statement<{ hash: string; lifetime: number }>()((value) =>
    query
      .insertInto('clientAssertions')
      .values({ hash: value('hash'), expiresAt: sql<number>`${database.now} + ${value('lifetime')}` })
      .onConflict((conflict) => conflict.doNothing()),
  );
  const deleteExpired = database.statement<Record<never, never>>()(() =>
    query.deleteFrom('clientAssertions').where('expiresAt', '<=', database.now),
  );

  return {
    /** The one atomic statement of an assertion's single use: refused when this client's `jti` was used before. */
    use: (clientId: string, id: string, lifetimeMilliseconds: number): Expected =>
      exactly(1, insert({ hash: hashSecret(`${clientId} ${id}`), lifetime: lifetimeMilliseconds })),
    deleteExpired: (): Bound<unknown> => deleteExpired({}),
  };
}
