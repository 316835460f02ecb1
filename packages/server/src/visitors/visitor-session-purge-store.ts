import { sql } from 'kysely';
import type { Bound, Database } from '#database';

const keptMilliseconds = 24 * 60 * 60_000;

/** Only what says that a session is over; who it was of, and what its provider gave, goes with the row. */
type PassportSessionEnds = {
  id: string;
  expiresAt: number;
  idleExpiresAt: number | null;
  endedAt: number | null;
};

/** Deletes visitors' sessions that are over for a day, by time or because somebody ended them. */
export function createVisitorSessionPurge({ database }: { database: Database }) {
  const query = database.queries<{ passportSessions: PassportSessionEnds }>();
  const yesterday = sql<number>`${database.now} - ${sql.lit(keptMilliseconds)}`;
  const deleteOver = database.statement<{ most: number }>()((value) =>
    query.deleteFrom('passportSessions').where('id', 'in', (over) =>
      over
        .selectFrom('passportSessions')
        .select('id')
        // In no order: each of the three has its index.
        .where((where) =>
          where.or([
            where('expiresAt', '<=', yesterday),
            where('idleExpiresAt', '<=', yesterday),
            where('endedAt', '<=', yesterday),
          ]),
        )
        .limit(value('most')),
    ),
  );
  return (most: number): Bound<unknown>[] => [deleteOver({ most })];
}
