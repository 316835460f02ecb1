import { sql } from 'kysely';
import type { Bound, Database } from '#database';

type AttemptTables = {
  signInAttempts: { reference: string; kind: string; createdAt: number };
  signInAttemptSteps: { reference: string; step: string; outcome: string };
};

/** As long as somebody may still come with the reference of a page. */
const keptMilliseconds = 90 * 24 * 60 * 60_000;

/** A visitor who was sent to sign in and never came: whoever knocks makes one of these. */
const onlyBegunMilliseconds = 24 * 60 * 60_000;
/** So that no run looks at all that is kept; what it misses goes with its age. */
const lookedBackMilliseconds = 7 * 24 * 60 * 60_000;

/** Deletes attempts that are older than 90 days, or than a day where only their start is known, with their steps. */
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
  const onlyBegun = (most: ReturnType<typeof sql<number>>) =>
    query
      .selectFrom('signInAttempts')
      .select('reference')
      .where('createdAt', '<=', sql<number>`${database.now} - ${sql.lit(onlyBegunMilliseconds)}`)
      .where('createdAt', '>', sql<number>`${database.now} - ${sql.lit(lookedBackMilliseconds)}`)
      .where('kind', '=', 'passport')
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('signInAttemptSteps')
              .select('signInAttemptSteps.reference')
              .whereRef('signInAttemptSteps.reference', '=', 'signInAttempts.reference')
              .where((step) => step.or([step('step', '!=', 'start'), step('outcome', '!=', 'ok')])),
          ),
        ),
      )
      .orderBy('createdAt')
      .orderBy('reference')
      .limit(most);
  // The attempts last, chosen in the same order: their steps alone say which these are, and `start` is gone by then.
  const deleteBegunSteps = database.statement<{ most: number }>()((value) =>
    query.deleteFrom('signInAttemptSteps').where('reference', 'in', onlyBegun(value('most'))),
  );
  const deleteBegun = database.statement<{ most: number }>()((value) =>
    query.deleteFrom('signInAttempts').where('reference', 'in', onlyBegun(value('most'))),
  );
  return (most: number): Bound<unknown>[] => [
    deleteSteps({ most }),
    deleteAttempts({ most }),
    deleteBegunSteps({ most }),
    deleteBegun({ most }),
  ];
}
