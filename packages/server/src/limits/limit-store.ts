import { sql } from 'kysely';
import { exactly, type Bound, type Database, type Expected } from '#database';
import type { Sealing } from '#sealing';

type LimitTables = { limits: { bucket: string; tries: number; windowEndsAt: number } };

export type Limits = ReturnType<typeof createLimits>;

/** Limits that hold across all nodes. The windows are judged by the database's clock. */
export function createLimits({ database, sealing }: { database: Database; sealing: Pick<Sealing, 'mac'> }) {
  const query = database.queries<LimitTables>();
  const windowEnded = sql<boolean>`"limits"."windowEndsAt" <= ${database.now}`;

  // One statement counts and judges, so that any number of parallel tries stays within the limit.
  const countTry = database.statement<{ bucket: string; limit: number; window: number }>()((value) =>
    query
      .insertInto('limits')
      .values({
        bucket: value('bucket'),
        tries: 1,
        windowEndsAt: sql<number>`${database.now} + ${value('window')}`,
      })
      .onConflict((conflict) =>
        conflict
          .column('bucket')
          .doUpdateSet({
            tries: sql<number>`case when ${windowEnded} then 1 else "limits"."tries" + 1 end`,
            windowEndsAt: sql<number>`case when ${windowEnded} then ${database.now} + ${value('window')} else "limits"."windowEndsAt" end`,
          })
          .where((compare) => compare.or([windowEnded, compare('limits.tries', '<', value('limit'))])),
      ),
  );
  const deleteBucket = database.statement<{ bucket: string }>()((value) =>
    query.deleteFrom('limits').where('bucket', '=', value('bucket')),
  );
  const giveBack = database.statement<{ bucket: string }>()((value) =>
    query
      .updateTable('limits')
      .set({ tries: sql<number>`"tries" - 1` })
      .where('bucket', '=', value('bucket'))
      .where('tries', '>', 0),
  );
  const selectFull = database.statement<{ bucket: string; limit: number }>()((value) =>
    query
      .selectFrom('limits')
      .select('bucket')
      .where('bucket', '=', value('bucket'))
      .where('tries', '>=', value('limit'))
      .where('windowEndsAt', '>', database.now),
  );
  const deleteEnded = database.statement<Record<never, never>>()(() =>
    query.deleteFrom('limits').where(windowEnded),
  );

  // Keyed, not plain: the table must not tell who tried what.
  const bucketOf = (name: string, key: string): string => sealing.mac('limits', JSON.stringify([name, key]));

  return {
    /**
     * Counts one try of `name` by `key` (a person, a network); refused when there were `limit` within the window.
     * For a unit of its own, before what is limited is looked at.
     */
    count: (name: string, key: string, limit: number, windowMilliseconds: number): Expected =>
      exactly(1, countTry({ bucket: bucketOf(name, key), limit, window: windowMilliseconds })),

    /** Whether a further try would be refused; counts none. Spares the work, and judges nothing: `count` does that. */
    isFull: async (name: string, key: string, limit: number): Promise<boolean> =>
      (await database.find(selectFull({ bucket: bucketOf(name, key), limit }))) !== undefined,

    /** Forgets the tries: somebody got it right. */
    clear: (name: string, key: string): Bound<unknown> => deleteBucket({ bucket: bucketOf(name, key) }),

    /** Takes one try back that turned out right, where only wrong ones are to count. */
    giveBack: (name: string, key: string): Bound<unknown> => giveBack({ bucket: bucketOf(name, key) }),

    /** Drops the counts of windows that are over. */
    deleteEnded: (): Bound<unknown> => deleteEnded({}),
  };
}
