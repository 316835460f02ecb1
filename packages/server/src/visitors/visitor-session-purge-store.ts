import { sql } from 'kysely';
import type { Bound, Database } from '#database';

const keptMilliseconds = 24 * 60 * 60_000;

/** Deletes visitors' sessions that are over for a day, by time or because somebody ended them. */
export function createVisitorSessionPurge({ database }: { database: Database }) {
  const query = database.queries<{ passportSessions: { id: string; expiresAt: number } }>();
  const deleteOver = database.statement<{ most: number }>()((value) =>
    query.deleteFrom('passportSessions').where('id', 'in', (over) =>
      over
        .selectFrom('passportSessions')
        .select('id')
        .where('expiresAt', '<=', sql<number>`${database.now} - ${sql.lit(keptMilliseconds)}`)
        .orderBy('expiresAt')
        .limit(value('most')),
    ),
  );
  return (most: number): Bound<unknown>[] => [deleteOver({ most })];
}
