import { sql } from 'kysely';
import type { Bound, Database } from '#database';

/** A late device is told for a day what became of its request. */
const keptMilliseconds = 24 * 60 * 60_000;

/** Deletes requests of devices that are over. */
export function createDeviceRequestPurge({ database }: { database: Database }) {
  const query = database.queries<{ deviceRequests: { id: string; expiresAt: number } }>();
  const deleteOver = database.statement<{ most: number }>()((value) =>
    query.deleteFrom('deviceRequests').where('id', 'in', (over) =>
      over
        .selectFrom('deviceRequests')
        .select('id')
        .where('expiresAt', '<=', sql<number>`${database.now} - ${sql.lit(keptMilliseconds)}`)
        .orderBy('expiresAt')
        .limit(value('most')),
    ),
  );
  return (most: number): Bound<unknown>[] => [deleteOver({ most })];
}
