import type { ConnectorTestReport } from '@tessera/contract';
import { sql } from 'kysely';
import { exactly, type Bound, type Database, type Expected } from '#database';
import type { LiveTest } from './live-test.ts';

type LiveTestRow = {
  id: string;
  teamId: string;
  connectorId: string;
  userId: string;
  projectId: string | null;
  reference: string | null;
  report: string | null;
  createdAt: number;
  expiresAt: number;
  startedAt: number | null;
  finishedAt: number | null;
};

/** A report has claims of a person in it: kept as long as somebody is mending the connector. */
const keptMilliseconds = 24 * 60 * 60_000;

export function createLiveTestStore(database: Database) {
  const query = database.queries<{ connectorTests: LiveTestRow }>();

  const findById = database.statement<{ id: string }>()((value) =>
    query.selectFrom('connectorTests').selectAll().where('id', '=', value('id')),
  );
  const insert = database.statement<LiveTestRow>()((value) =>
    query.insertInto('connectorTests').values({
      id: value('id'),
      teamId: value('teamId'),
      connectorId: value('connectorId'),
      userId: value('userId'),
      projectId: value('projectId'),
      reference: value('reference'),
      report: value('report'),
      createdAt: value('createdAt'),
      expiresAt: value('expiresAt'),
      startedAt: value('startedAt'),
      finishedAt: value('finishedAt'),
    }),
  );
  const start = database.statement<{ id: string; userId: string; reference: string }>()((value) =>
    query
      .updateTable('connectorTests')
      .set({ startedAt: database.now, reference: value('reference') })
      .where('id', '=', value('id'))
      .where('userId', '=', value('userId'))
      .where('startedAt', 'is', null)
      .where('expiresAt', '>', database.now),
  );
  const finish = database.statement<{ id: string; reference: string; report: string }>()((value) =>
    query
      .updateTable('connectorTests')
      .set({ finishedAt: database.now, report: value('report') })
      .where('id', '=', value('id'))
      .where('reference', '=', value('reference'))
      .where('finishedAt', 'is', null),
  );
  const deleteOld = database.statement<{ most: number }>()((value) =>
    query.deleteFrom('connectorTests').where('id', 'in', (old) =>
      old
        .selectFrom('connectorTests')
        .select('id')
        .where('createdAt', '<=', sql<number>`${database.now} - ${sql.lit(keptMilliseconds)}`)
        .orderBy('createdAt')
        .limit(value('most')),
    ),
  );

  return {
    async find(id: string): Promise<LiveTest | undefined> {
      const row = await database.find(findById({ id }));
      return row && toLiveTest(row);
    },
    insert: (
      test: Pick<
        LiveTest,
        'id' | 'teamId' | 'connectorId' | 'userId' | 'projectId' | 'createdAt' | 'expiresAt'
      >,
    ) =>
      exactly(
        1,
        insert({
          ...test,
          projectId: test.projectId ?? null,
          reference: null,
          report: null,
          startedAt: null,
          finishedAt: null,
        }),
      ),
    /** Begins it, once, in its time, for the person who prepared it. */
    start: (id: string, userId: string, reference: string): Expected =>
      exactly(1, start({ id, userId, reference })),
    /** Keeps what the attempt of this reference found. */
    finish: (id: string, reference: string, report: ConnectorTestReport): Bound<unknown> =>
      finish({ id, reference, report: JSON.stringify(report) }),
    deleteOld: (most: number): Bound<unknown> => deleteOld({ most }),
  };
}

function toLiveTest(row: LiveTestRow): LiveTest {
  return {
    ...row,
    projectId: row.projectId ?? undefined,
    reference: row.reference ?? undefined,
    report: row.report === null ? undefined : (JSON.parse(row.report) as ConnectorTestReport),
    startedAt: row.startedAt ?? undefined,
    finishedAt: row.finishedAt ?? undefined,
  };
}
