import { sql } from 'kysely';
import type { Bound, Database, Expected } from '#database';
import { exactly } from '#database';

type TryTables = { passwordTries: { bucket: string; tries: number; windowEndsAt: number } };

export type TryStore = ReturnType<typeof createTryStore>;

export function createTryStore(database: Database) {
  const query = database.queries<TryTables>();
  const windowEnded = sql<boolean>`"passwordTries"."windowEndsAt" <= ${database.now}`;

  // One statement counts and judges, so that any number of parallel tries stays within the limit.
  const countTry = database.statement<{ bucket: string; limit: number; window: number }>()((value) =>
    query
      .insertInto('passwordTries')
      .values({
        bucket: value('bucket'),
        tries: 1,
        windowEndsAt: sql<number>`${database.now} + ${value('window')}`,
      })
      .onConflict((conflict) =>
        conflict
          .column('bucket')
          .doUpdateSet({
            tries: sql<number>`case when ${windowEnded} then 1 else "passwordTries"."tries" + 1 end`,
            windowEndsAt: sql<number>`case when ${windowEnded} then ${database.now} + ${value('window')} else "passwordTries"."windowEndsAt" end`,
          })
          .where((compare) => compare.or([windowEnded, compare('passwordTries.tries', '<', value('limit'))])),
      ),
  );
  const deleteBucket = database.statement<{ bucket: string }>()((value) =>
    query.deleteFrom('passwordTries').where('bucket', '=', value('bucket')),
  );
  const giveBack = database.statement<{ bucket: string }>()((value) =>
    query
      .updateTable('passwordTries')
      .set({ tries: sql<number>`"tries" - 1` })
      .where('bucket', '=', value('bucket'))
      .where('tries', '>', 0),
  );
  const deleteEnded = database.statement<Record<never, never>>()(() =>
    query.deleteFrom('passwordTries').where(windowEnded),
  );

  return {
    /** Counts one try; refused when the bucket is full. Times in milliseconds. */
    count: (bucket: string, limit: number, window: number): Expected =>
      exactly(1, countTry({ bucket, limit, window })),
    clear: (bucket: string): Bound<unknown> => deleteBucket({ bucket }),
    giveBack: (bucket: string): Bound<unknown> => giveBack({ bucket }),
    deleteEnded: (): Bound<unknown> => deleteEnded({}),
  };
}
