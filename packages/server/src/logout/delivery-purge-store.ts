import { sql } from 'kysely';
import type { Bound, Database } from '#database';

/** As long as a team can look at what was sent to its apps. */
const keptMilliseconds = 90 * 24 * 60 * 60_000;

/** Deletes deliveries of long ago: the last try of each was within hours. */
export function createDeliveryPurge({ database }: { database: Database }) {
  const query = database.queries<{ logoutDeliveries: { id: string; createdAt: number } }>();
  const deleteOver = database.statement<{ most: number }>()((value) =>
    query.deleteFrom('logoutDeliveries').where('id', 'in', (over) =>
      over
        .selectFrom('logoutDeliveries')
        .select('id')
        .where('createdAt', '<=', sql<number>`${database.now} - ${sql.lit(keptMilliseconds)}`)
        .orderBy('createdAt')
        .limit(value('most')),
    ),
  );
  return (most: number): Bound<unknown>[] => [deleteOver({ most })];
}
