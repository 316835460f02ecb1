import { sql } from 'kysely';
import type { Bound, Database } from '#database';

/** One row for each kind of record: how many units have changed records of it. */
export function createChangeStore(database: Database) {
  const query = database.queries<{ changes: { kind: string; count: number } }>();

  // Units that change the same kind wait for each other here, so that no count is read before the change behind it.
  const count = database.statement<{ kind: string }>()((value) =>
    query
      .insertInto('changes')
      .values({ kind: value('kind'), count: 1 })
      .onConflict((conflict) =>
        conflict.column('kind').doUpdateSet({ count: sql<number>`"changes"."count" + 1` }),
      ),
  );
  const list = database.statement<Record<never, never>>()(() =>
    query.selectFrom('changes').select(['kind', 'count']),
  );

  return {
    count: (kind: string): Bound<unknown> => count({ kind }),
    async list(): Promise<ReadonlyMap<string, number>> {
      const rows = await database.list(list({}));
      return new Map(rows.map((row) => [row.kind, row.count]));
    },
  };
}
