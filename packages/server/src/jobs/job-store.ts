import { randomBytes } from 'node:crypto';
import { createId } from '@tessera/protocol';
import { sql } from 'kysely';
import { exactly, type Bound, type Database, type Expected } from '#database';
import { leaseMilliseconds, type Job } from './job.ts';

type JobRow = {
  id: string;
  kind: string;
  payload: string;
  /** Tries that were begun since the work last came to an end of its own. */
  attempts: number;
  /** When it is to be tried; while somebody has the lease, when that runs out. */
  dueAt: number;
  leaseToken: string | null;
  createdAt: number;
};

export type JobStore = ReturnType<typeof createJobStore>;

export function createJobStore(database: Database) {
  const query = database.queries<{ jobs: JobRow }>();
  const { now } = database;

  const insert = database.statement<Pick<JobRow, 'id' | 'kind' | 'payload'> & { delay: number }>()((value) =>
    query.insertInto('jobs').values({
      id: value('id'),
      kind: value('kind'),
      payload: value('payload'),
      attempts: 0,
      dueAt: sql<number>`${now} + ${value('delay')}`,
      createdAt: now,
    }),
  );
  const insertOnce = database.statement<{ kind: string }>()((value) =>
    query
      .insertInto('jobs')
      .values({
        id: value('kind'),
        kind: value('kind'),
        payload: '{}',
        attempts: 0,
        dueAt: now,
        createdAt: now,
      })
      .onConflict((conflict) => conflict.column('id').doNothing()),
  );
  const listDue = database.statement<{ limit: number }>()((value) =>
    query
      .selectFrom('jobs')
      .select(['id', 'kind', 'payload', 'attempts'])
      .where('dueAt', '<=', now)
      .orderBy('dueAt')
      .orderBy('id')
      .limit(value('limit')),
  );
  // The lease and the appointment are one column, so that one condition says that nobody has the job.
  const lease = database.statement<{ id: string; leaseToken: string; attempts: number }>()((value) =>
    query
      .updateTable('jobs')
      .set({
        leaseToken: value('leaseToken'),
        attempts: sql<number>`"attempts" + 1`,
        dueAt: sql<number>`${now} + ${sql.lit(leaseMilliseconds)}`,
      })
      .where('id', '=', value('id'))
      .where('attempts', '=', value('attempts'))
      .where('dueAt', '<=', now),
  );
  const finish = database.statement<{ id: string; leaseToken: string }>()((value) =>
    query.deleteFrom('jobs').where('id', '=', value('id')).where('leaseToken', '=', value('leaseToken')),
  );
  const postpone = database.statement<{
    id: string;
    leaseToken: string;
    attempts: number;
    delay: number;
  }>()((value) =>
    query
      .updateTable('jobs')
      .set({
        leaseToken: null,
        attempts: value('attempts'),
        dueAt: sql<number>`${now} + ${value('delay')}`,
      })
      .where('id', '=', value('id'))
      .where('leaseToken', '=', value('leaseToken')),
  );

  return {
    insert: (kind: string, payload: unknown, delay: number): Bound<unknown> =>
      insert({ id: createId('job'), kind, payload: JSON.stringify(payload), delay }),
    insertOnce: (kind: string): Bound<unknown> => insertOnce({ kind }),
    isOnce: ({ id, kind }: Job): boolean => id === kind,
    async listDue(limit: number): Promise<Job[]> {
      return (await database.list(listDue({ limit }))).map(({ id, kind, payload, attempts }) => ({
        id,
        kind,
        payload: JSON.parse(payload) as unknown,
        attempt: attempts + 1,
      }));
    },
    /** Refused when another process was first. */
    lease(job: Job): { leaseToken: string; statement: Expected } {
      const leaseToken = randomBytes(16).toString('base64url');
      return {
        leaseToken,
        statement: exactly(1, lease({ id: job.id, leaseToken, attempts: job.attempt - 1 })),
      };
    },
    /** Both refused when the lease ran out and another process has the job. */
    finish: (id: string, leaseToken: string): Expected => exactly(1, finish({ id, leaseToken })),
    postpone: (id: string, leaseToken: string, attempts: number, delay: number): Expected =>
      exactly(1, postpone({ id, leaseToken, attempts, delay })),
  };
}
