import { sql } from 'kysely';
import type { Bound, Database } from '#database';

type AttemptTables = {
  signInAttempts: { reference: string; createdAt: number };
  signInAttemptSteps: { reference: string };
};

/** As long as somebody may still come with the reference of a page. */
const keptMilliseconds = 90 * 24 * 60 * 60_000;

/** Deletes attempts that are older than 90 days, with their steps. */
export function createAttemptPurge({ database }: { database: Database }) {
  const query = database.queries<AttemptTables>();
  const oldest = (most: ReturnType<typeof sql<number>>) =>
    query
      .selectFrom('signInAttempts')
      .select('reference')
      .where('createdAt', '<=', sql<number>`${database.now} - ${sql.lit(keptMilliseconds)}`)
      .orderBy('createdAt')
      .orderBy('reference')
      .limit(most);

  const deleteSteps = database.statement<{ most: number }>()((value) =>
    query.deleteFrom('signInAttemptSteps').where('reference', 'in', oldest(value('most'))),
  );
  const deleteAttempts = database.statement<{ most: number }>()((value) =>
    query.deleteFrom('signInAttempts').where('reference', 'in', oldest(value('most'))),
  );
  return (most: number): Bound<unknown>[] => [deleteSteps({ most }), deleteAttempts({ most })];
}
