import { sql } from 'kysely';
import { exactly, type Bound, type Database, type Expected } from '#database';

type DpopTables = { dpopProofs: { hash: string; expiresAt: number } };

export function createDpopProofStore(database: Database) {
  const query = database.queries<DpopTables>();
  const insert = database.statement<{ hash: string; lifetime: number }>()((value) =>
    query
      .insertInto('dpopProofs')
      .values({ hash: value('hash'), expiresAt: sql<number>`${database.now} + ${value('lifetime')}` })
      .onConflict((conflict) => conflict.doNothing()),
  );
  const deleteExpired = database.statement<Record<never, never>>()(() =>
    query.deleteFrom('dpopProofs').where('expiresAt', '<=', database.now),
  );

  return {
    /** The one atomic statement of a proof's single use: refused when it was used before. */
    use: (hash: string, lifetimeMilliseconds: number): Expected =>
      exactly(1, insert({ hash, lifetime: lifetimeMilliseconds })),
    deleteExpired: (): Bound<unknown> => deleteExpired({}),
  };
}
