import { sql } from 'kysely';
import type { Bound, Database } from '#database';

/** A used code is known a day longer: who presents it again is told from a stranger, and ends what it gave. */
const keptMilliseconds = 24 * 60 * 60_000;

/** Deletes codes whose time is over. */
export function createCodePurge({ database }: { database: Database }) {
  const query = database.queries<{ codes: { hash: string; expiresAt: number } }>();
  const deleteOver = database.statement<{ most: number }>()((value) =>
    query.deleteFrom('codes').where('hash', 'in', (over) =>
      over
        .selectFrom('codes')
        .select('hash')
        .where('expiresAt', '<=', sql<number>`${database.now} - ${sql.lit(keptMilliseconds)}`)
        .orderBy('expiresAt')
        .limit(value('most')),
    ),
  );
  return (most: number): Bound<unknown>[] => [deleteOver({ most })];
}
