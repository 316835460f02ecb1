import { sql } from 'kysely';
import type { Bound, Database } from '#database';

const keptMilliseconds = 24 * 60 * 60_000;

/** Deletes sessions that have been over for a day. */
export function createSessionPurge({ database }: { database: Database }) {
  const query = database.queries<{ sessions: { id: string; expiresAt: number } }>();
  const deleteOver = database.statement<{ most: number }>()((value) =>
    query.deleteFrom('sessions').where('id', 'in', (over) =>
      over
        .selectFrom('sessions')
        .select('id')
        .where('expiresAt', '<=', sql<number>`${database.now} - ${sql.lit(keptMilliseconds)}`)
        .orderBy('expiresAt')
        .limit(value('most')),
    ),
  );
  return (most: number): Bound<unknown>[] => [deleteOver({ most })];
}
