import { createReference, randomBase62 } from '@tessera/protocol';
import type { Clock } from '#clock';
import type { Bound, Database } from '#database';
import type { Attempt, AttemptKind, AttemptStart, AttemptStep } from './attempt.ts';

type AttemptTables = {
  signInAttempts: {
    reference: string;
    kind: AttemptKind;
    teamId: string | null;
    appId: string | null;
    projectId: string | null;
    deploymentId: string | null;
    connectorId: string | null;
    createdAt: number;
  };
  signInAttemptSteps: {
    id: string;
    reference: string;
    step: string;
    outcome: 'ok' | 'failed';
    detail: string | null;
    at: number;
  };
};

export type Attempts = ReturnType<typeof createAttempts>;

const maximumDetail = 2_000;

/** Records of sign-in attempts. Steps are statements, so that a step and what it tells about are one unit. */
export function createAttempts({ database, clock }: { database: Database; clock: Clock }) {
  const query = database.queries<AttemptTables>();
  let made = 0;

  const insertAttempt = database.statement<AttemptTables['signInAttempts']>()((value) =>
    query.insertInto('signInAttempts').values({
      reference: value('reference'),
      kind: value('kind'),
      teamId: value('teamId'),
      appId: value('appId'),
      projectId: value('projectId'),
      deploymentId: value('deploymentId'),
      connectorId: value('connectorId'),
      createdAt: value('createdAt'),
    }),
  );

  const insertStep = database.statement<AttemptTables['signInAttemptSteps']>()((value) =>
    query.insertInto('signInAttemptSteps').values({
      id: value('id'),
      reference: value('reference'),
      step: value('step'),
      outcome: value('outcome'),
      detail: value('detail'),
      at: value('at'),
    }),
  );

  const findByReference = database.statement<{ reference: string }>()((value) =>
    query.selectFrom('signInAttempts').selectAll().where('reference', '=', value('reference')),
  );

  const listSteps = database.statement<{ reference: string }>()((value) =>
    query
      .selectFrom('signInAttemptSteps')
      .selectAll()
      .where('reference', '=', value('reference'))
      .orderBy('id'),
  );

  const listOfTeam = database.statement<{ teamId: string; limit: number }>()((value) =>
    query
      .selectFrom('signInAttempts')
      .selectAll()
      .where('teamId', '=', value('teamId'))
      .orderBy('createdAt', 'desc')
      .orderBy('reference')
      .limit(value('limit')),
  );

  return {
    /** Begins an attempt; the statement belongs into the unit of whatever begins it. */
    begin(start: AttemptStart): { reference: string; statement: Bound<unknown> } {
      const reference = createReference();
      const statement = insertAttempt({
        reference,
        kind: start.kind,
        teamId: start.teamId ?? null,
        appId: start.appId ?? null,
        projectId: start.projectId ?? null,
        deploymentId: start.deploymentId ?? null,
        connectorId: start.connectorId ?? null,
        createdAt: clock.now(),
      });
      return { reference, statement };
    },

    /** Adds a step. The names `session` and `tokens` with outcome `ok` mark the attempt as done. */
    step(reference: string, step: Pick<AttemptStep, 'step' | 'outcome' | 'detail'>): Bound<unknown> {
      const at = clock.now();
      made += 1;
      return insertStep({
        id: createStepId(at, made),
        reference,
        step: step.step,
        outcome: step.outcome,
        detail: step.detail?.slice(0, maximumDetail) ?? null,
        at,
      });
    },

    /** The attempt with its steps in order. Whether the asker may see it is the door's business. */
    async find(reference: string): Promise<Attempt | undefined> {
      const row = await database.find(findByReference({ reference }));
      if (row === undefined) return undefined;
      return { ...toAttempt(row), steps: (await database.list(listSteps({ reference }))).map(toStep) };
    },

    /** Newest first, without their steps. */
    async list(teamId: string, limit: number): Promise<Omit<Attempt, 'steps'>[]> {
      return (await database.list(listOfTeam({ teamId, limit }))).map(toAttempt);
    },
  };
}

function toAttempt(row: AttemptTables['signInAttempts']): Omit<Attempt, 'steps'> {
  return {
    reference: row.reference,
    kind: row.kind,
    teamId: row.teamId ?? undefined,
    appId: row.appId ?? undefined,
    projectId: row.projectId ?? undefined,
    deploymentId: row.deploymentId ?? undefined,
    connectorId: row.connectorId ?? undefined,
    createdAt: row.createdAt,
  };
}

function toStep(row: AttemptTables['signInAttemptSteps']): AttemptStep {
  return { step: row.step, outcome: row.outcome, detail: row.detail ?? undefined, at: row.at };
}

/** Sorts by time, and within a millisecond by the order in which this process made them. */
function createStepId(at: number, made: number): string {
  return `${at.toString(36).padStart(9, '0')}${made.toString(36).padStart(8, '0')}${randomBase62(8)}`;
}
