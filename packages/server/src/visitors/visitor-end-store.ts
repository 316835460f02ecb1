import { randomBase62 } from '@tessera/protocol';
import { sql, type RawBuilder } from 'kysely';
import type { Bound, Database } from '#database';

type PassportEndRow = {
  id: string;
  teamId: string;
  projectId: string | null;
  connectorId: string | null;
  externalSub: string | null;
  externalSid: string | null;
  before: number;
  createdAt: number;
};

type EndTables = { passportEnds: PassportEndRow; passportEndTurns: { teamId: string; turns: number } };

/** Which visitors of a team were told to go; what is left out matches all. */
export type EndedVisitors = {
  readonly teamId: string;
  readonly projectId?: string | undefined;
  readonly connectorId?: string | undefined;
  readonly externalSub?: string | undefined;
  /** With a person beside it, it also means what the provider gave no name of its session to. */
  readonly externalSid?: string | undefined;
};

/** Longer than any way from a provider's answer to a session takes. */
const keptMilliseconds = 60 * 60_000;

/**
 * That visitors were told to go: what a sign-in that is still on its way rests on. Whoever ends and whoever enters take
 * turns, a team at a time, so that one of them sees the other: else a session could begin between the two statements of
 * an end, and stay.
 */
export function createVisitorEnds({ database }: { database: Database }) {
  const query = database.queries<EndTables>();

  const takeTurn = database.statement<{ teamId: string }>()((value) =>
    query
      .insertInto('passportEndTurns')
      .values({ teamId: value('teamId'), turns: 1 })
      .onConflict((conflict) =>
        conflict.column('teamId').doUpdateSet({ turns: sql<number>`"passportEndTurns"."turns" + 1` }),
      ),
  );

  // What ends now ends what began until now; what a provider ended may be longer ago, and is never in the future.
  const insert = database.statement<Omit<PassportEndRow, 'createdAt'>>()((value) =>
    query.insertInto('passportEnds').values({
      id: value('id'),
      teamId: value('teamId'),
      projectId: value('projectId'),
      connectorId: value('connectorId'),
      externalSub: value('externalSub'),
      externalSid: value('externalSid'),
      before: sql<number>`case when ${database.now} < ${value('before')} then ${database.now} else ${value('before')} end`,
      createdAt: database.now,
    }),
  );

  return {
    /** To be put before a statement that ends sessions, or rests on none having been ended. */
    takeTurn: (teamId: string): Bound<unknown> => takeTurn({ teamId }),

    /** `before`: of what began until then, in milliseconds. */
    note({ teamId, projectId, connectorId, externalSub, externalSid }: EndedVisitors, before?: number) {
      return insert({
        id: randomBase62(24),
        teamId,
        projectId: projectId ?? null,
        connectorId: connectorId ?? null,
        externalSub: externalSub ?? null,
        externalSid: externalSid ?? null,
        before: before ?? Number.MAX_SAFE_INTEGER,
      });
    },

    /** Whether nobody ended these visitors at this time or later; over values or columns of a statement. */
    isNotEnded: (
      visitor: {
        [Name in keyof Required<EndedVisitors>]: RawBuilder<unknown>;
      } & { since: RawBuilder<number> },
    ) => {
      const { teamId, projectId, connectorId, externalSub, externalSid, since } = visitor;
      return sql<boolean>`not exists ${query
        .selectFrom('passportEnds')
        .select('id')
        .where(
          sql<boolean>`"passportEnds"."teamId" = ${teamId}
            and "passportEnds"."before" >= ${since}
            and ("passportEnds"."projectId" is null or "passportEnds"."projectId" = ${projectId})
            and ("passportEnds"."connectorId" is null or "passportEnds"."connectorId" = ${connectorId})
            and ("passportEnds"."externalSub" is null or "passportEnds"."externalSub" = ${externalSub})
            and ("passportEnds"."externalSid" is null or "passportEnds"."externalSid" = ${externalSid}
              or ("passportEnds"."externalSub" is not null and ${externalSid} is null))`,
        )}`;
    },
  };
}

/** Deletes what was ended so long ago that no sign-in of then is still on its way. */
export function createVisitorEndPurge({ database }: { database: Database }) {
  const query = database.queries<EndTables>();
  const deleteOld = database.statement<{ most: number }>()((value) =>
    query.deleteFrom('passportEnds').where('id', 'in', (old) =>
      old
        .selectFrom('passportEnds')
        .select('id')
        .where('createdAt', '<=', sql<number>`${database.now} - ${sql.lit(keptMilliseconds)}`)
        .orderBy('createdAt')
        .limit(value('most')),
    ),
  );
  return (most: number): Bound<unknown>[] => [deleteOld({ most })];
}
