import { createId, passwordConnectorId, platformConnectorId } from '@tessera/protocol';
import { sql, type ExpressionBuilder, type RawBuilder } from 'kysely';
import type { Changes } from '#changes';
import type { Clock } from '#clock';
import { exactly, type Bound, type Database, type Expected } from '#database';
import type {
  NewVisitorSession,
  SessionEnd,
  VisitorSession,
  VisitorSessionFilter,
} from './visitor-session.ts';
import { createVisitorEnds, type EndedVisitors } from './visitor-end-store.ts';

type PassportSessionRow = {
  id: string;
  teamId: string;
  projectId: string;
  environment: string;
  deploymentId: string;
  host: string;
  connectorId: string;
  externalSub: string;
  externalIss: string;
  externalSid: string | null;
  claims: string;
  providerTokens: string | null;
  companionHash: string;
  createdAt: number;
  expiresAt: number;
  idleSeconds: number | null;
  idleExpiresAt: number | null;
  endedAt: number | null;
  endedBy: string | null;
};

/** What a provider ended; of what began until `before`, in milliseconds. */
export type ProviderEnd = {
  externalSub: string | undefined;
  externalSid: string | undefined;
  before: number;
};

/** The change itself, and the note of it: both belong into the caller's unit. */
export type Change = readonly [Bound<unknown>, Bound<unknown>];

/** The end of many: in turn with whoever enters, seen by sign-ins that are on their way, and noted. */
export type EndOfMany = readonly Bound<unknown>[];

const columnsOf = {
  text: [
    'id',
    'teamId',
    'projectId',
    'environment',
    'deploymentId',
    'host',
    'connectorId',
    'externalSub',
    'externalIss',
    'externalSid',
    'claims',
    'providerTokens',
    'companionHash',
    'endedBy',
  ],
  time: ['createdAt', 'expiresAt', 'idleSeconds', 'idleExpiresAt', 'endedAt'],
} as const satisfies Record<string, readonly (keyof PassportSessionRow)[]>;

type PassportTables = { passportSessions: PassportSessionRow };

export type Visitors = ReturnType<typeof createVisitors>;

/** What must hold of a person in a team, over two columns of a statement here; the tables it asks are others' own. */
export type PersonCondition = {
  readonly holds: (person: { teamId: RawBuilder<string>; userId: RawBuilder<string> }) => RawBuilder<boolean>;
  /** What a unit notes after which it may hold no longer. */
  readonly kind: string;
};

const mostRemembered = 20_000;

const seenEveryMilliseconds = 60_000;

/**
 * Sessions of visitors. What is over (ended, or past its time by the database's clock) is never found as live; nor is
 * one of a platform account whose person is not of the team any more, or may not use the account: that is asked in the
 * same statement, so nothing that ends a membership has to know of sessions.
 */
export function createVisitors({
  database,
  clock,
  changes,
  platformAccounts = [],
}: {
  database: Database;
  clock: Clock;
  changes: Changes;
  /** When a person with an account here may visit their team's deployments. Without any, no such session counts. */
  platformAccounts?: readonly PersonCondition[];
}) {
  const query = database.queries<PassportTables>();
  const person = {
    teamId: sql<string>`"passportSessions"."teamId"`,
    userId: sql<string>`"passportSessions"."externalSub"`,
  };
  const mayVisit =
    platformAccounts.length === 0
      ? sql<boolean>`1 = 0`
      : sql<boolean>`${sql.join(
          platformAccounts.map(({ holds }) => holds(person)),
          sql` and `,
        )}`;

  const ends = createVisitorEnds({ database });
  const isNotIdle = sql<boolean>`("idleExpiresAt" is null or "idleExpiresAt" > ${database.now})`;

  /** A session of who signed in at `answeredAt`; no row when that was ended since. */
  const insertUnlessEnded = database.statement<PassportSessionRow & { answeredAt: number }>()((value) => {
    const text = (name: keyof PassportSessionRow) => sql<string>`cast(${value(name)} as text)`;
    const time = (name: keyof PassportSessionRow) => sql<number>`cast(${value(name)} as bigint)`;
    return query
      .insertInto('passportSessions')
      .columns([...columnsOf.text, ...columnsOf.time])
      .expression(
        query
          .selectNoFrom([
            ...columnsOf.text.map((name) => text(name).as(name)),
            ...columnsOf.time.map((name) => time(name).as(name)),
          ])
          .where(
            ends.isNotEnded({
              teamId: text('teamId'),
              projectId: text('projectId'),
              connectorId: text('connectorId'),
              externalSub: text('externalSub'),
              externalSid: text('externalSid'),
              since: sql<number>`cast(${value('answeredAt')} as bigint)`,
            }),
          ),
      );
  });

  const findLive = database.statement<{ id: string }>()((value) =>
    query
      .selectFrom('passportSessions')
      .selectAll()
      .where('id', '=', value('id'))
      .where('endedAt', 'is', null)
      .where('expiresAt', '>', database.now)
      .where(isNotIdle)
      .where((row) => row.or([row('connectorId', '!=', platformConnectorId), mayVisit])),
  );

  const findOfTeam = database.statement<{ id: string; teamId: string }>()((value) =>
    query
      .selectFrom('passportSessions')
      .selectAll()
      .where('id', '=', value('id'))
      .where('teamId', '=', value('teamId')),
  );

  const updateLive = database.statement<Pick<PassportSessionRow, 'id' | 'claims' | 'providerTokens'>>()(
    (value) =>
      query
        .updateTable('passportSessions')
        .set({ claims: value('claims'), providerTokens: value('providerTokens') })
        .where('id', '=', value('id'))
        .where('endedAt', 'is', null),
  );

  /** What was over by then stays over, and no visit is taken back by one that is written later. */
  const touch = database.statement<{ id: string; idleExpiresAt: number }>()((value) =>
    query
      .updateTable('passportSessions')
      .set({ idleExpiresAt: value('idleExpiresAt') })
      .where('id', '=', value('id'))
      .where('endedAt', 'is', null)
      .where('idleExpiresAt', '>', database.now)
      .where('idleExpiresAt', '<', value('idleExpiresAt')),
  );
  const seen = new Map<string, number>();

  const markEnded = database.statement<{ id: string; endedBy: string }>()((value) =>
    query
      .updateTable('passportSessions')
      .set({ endedAt: database.now, endedBy: value('endedBy') })
      .where('id', '=', value('id'))
      .where('endedAt', 'is', null),
  );

  /** What a filter of a team matches, of what counts now. */
  const liveOf =
    (teamId: string, filter: VisitorSessionFilter) =>
    (where: ExpressionBuilder<PassportTables, 'passportSessions'>) =>
      where.and([
        where('teamId', '=', teamId),
        where('endedAt', 'is', null),
        where('expiresAt', '>', database.now),
        isNotIdle,
        ...(filter.projectId === undefined ? [] : [where('projectId', '=', filter.projectId)]),
        ...(filter.connectorId === undefined ? [] : [where('connectorId', '=', filter.connectorId)]),
        ...(filter.externalSub === undefined ? [] : [where('externalSub', '=', filter.externalSub)]),
      ]);

  /** Whoever ends or changes sessions says so in the same unit. */
  const noted = (change: Bound<unknown>): Change => [change, changes.note('visitors')];

  const endMany = (visitors: EndedVisitors, update: Bound<unknown>, before?: number): EndOfMany => [
    ends.takeTurn(visitors.teamId),
    ends.note(visitors, before),
    ...noted(update),
  ];

  function endAll(teamId: string, filter: VisitorSessionFilter, by: SessionEnd): EndOfMany {
    const update = query
      .updateTable('passportSessions')
      .set({ endedAt: database.now, endedBy: by })
      .where(liveOf(teamId, filter));
    return endMany({ teamId, ...filter }, database.statement<object>()(() => update)({}));
  }
  const markAllBegun = database.statement<{ from: number; until: number }>()((value) =>
    query
      .updateTable('passportSessions')
      .set({ endedAt: database.now, endedBy: 'key-revoked' satisfies SessionEnd })
      .where('createdAt', '>=', value('from'))
      .where('createdAt', '<=', value('until'))
      .where('endedAt', 'is', null),
  );
  const markBegunOfTeam = database.statement<{ teamId: string; from: number; until: number }>()((value) =>
    query
      .updateTable('passportSessions')
      .set({ endedAt: database.now, endedBy: 'key-revoked' satisfies SessionEnd })
      .where('teamId', '=', value('teamId'))
      .where('createdAt', '>=', value('from'))
      .where('createdAt', '<=', value('until'))
      .where('endedAt', 'is', null),
  );

  async function findLiveNow(id: string): Promise<VisitorSession | undefined> {
    const row = await database.find(findLive({ id }));
    return row === undefined ? undefined : sessionOf(row);
  }
  const findRemembered = changes.remember(
    ['visitors', ...platformAccounts.map(({ kind }) => kind)],
    mostRemembered,
    findLiveNow,
  );

  return {
    /**
     * A new session, and the statements that make it real: they belong into the unit that redeems the hand-off, and
     * refuse it where the visitor was told to go since `answeredAt`.
     */
    create(facts: NewVisitorSession): {
      session: VisitorSession;
      statements: readonly (Bound<unknown> | Expected)[];
    } {
      const { lifetimeSeconds, idleSeconds, answeredAt, ...known } = facts;
      const createdAt = clock.now();
      const session: VisitorSession = {
        ...known,
        id: createId('psid'),
        createdAt,
        expiresAt: createdAt + lifetimeSeconds * 1000,
        idle:
          idleSeconds === undefined
            ? undefined
            : { seconds: idleSeconds, expiresAt: createdAt + idleSeconds * 1000 },
        endedAt: undefined,
      };
      const { idle, ...columns } = session;
      const row = {
        ...columns,
        idleSeconds: idle?.seconds ?? null,
        idleExpiresAt: idle?.expiresAt ?? null,
        externalSid: session.externalSid ?? null,
        claims: JSON.stringify(session.claims),
        providerTokens: session.providerTokens === undefined ? null : JSON.stringify(session.providerTokens),
        endedAt: null,
        endedBy: null,
      };
      return {
        session,
        statements: [ends.takeTurn(session.teamId), exactly(1, insertUnlessEnded({ ...row, answeredAt }))],
      };
    },

    /** The session if it counts now, by the database's clock. */
    findLive: findLiveNow,

    /** The same as it is remembered, for a request of its visitor, who may be asking many times a second. */
    async findRemembered(id: string): Promise<VisitorSession | undefined> {
      const session = await findRemembered(id);
      if (session === undefined) return undefined;
      const now = clock.now();
      return session.expiresAt <= now || (session.idle?.expiresAt ?? Infinity) <= now ? undefined : session;
    },

    /**
     * Writes down, at most once a minute from here, that the visitor was there, where that matters. Nobody waits for it,
     * and no gateway forgets its sessions over it: each reads them again within a second.
     */
    markSeen({ id, idle }: VisitorSession): void {
      if (idle === undefined) return;
      const now = clock.now();
      const before = seen.get(id);
      if (before !== undefined && now >= before && now - before < seenEveryMilliseconds) return;
      if (seen.size >= mostRemembered) seen.clear();
      seen.set(id, now);
      database.write([touch({ id, idleExpiresAt: now + idle.seconds * 1000 })]).catch(() => seen.delete(id));
    },

    /** The session whether it still counts or not; undefined for another team's. */
    async findOfTeam(teamId: string, id: string): Promise<VisitorSession | undefined> {
      const row = await database.find(findOfTeam({ teamId, id }));
      return row === undefined ? undefined : sessionOf(row);
    },

    /** The team's live sessions, newest first; `after` is the last one of the page before. */
    async listOfTeam(
      teamId: string,
      filter: VisitorSessionFilter,
      page: { limit: number; after?: { createdAt: number; id: string } | undefined },
    ): Promise<VisitorSession[]> {
      let select = query.selectFrom('passportSessions').selectAll().where(liveOf(teamId, filter));
      const { after } = page;
      if (after !== undefined) {
        select = select.where((where) =>
          where.or([
            where('createdAt', '<', after.createdAt),
            where.and([where('createdAt', '=', after.createdAt), where('id', '<', after.id)]),
          ]),
        );
      }
      const newest = select.orderBy('createdAt', 'desc').orderBy('id', 'desc').limit(page.limit);
      const rows = await database.list(database.statement<object>()(() => newest)({}));
      return rows.map(sessionOf);
    },

    /** How many of the team's sessions the filter matches now. */
    async countOfTeam(teamId: string, filter: VisitorSessionFilter): Promise<number> {
      const count = query
        .selectFrom('passportSessions')
        .select((select) => select.fn.countAll().as('sessions'))
        .where(liveOf(teamId, filter));
      const row = await database.find(database.statement<object>()(() => count)({}));
      return Number(row?.sessions ?? 0);
    },

    /** What is known of a visitor by now; one row while the session lasts. */
    update(id: string, known: Pick<VisitorSession, 'claims' | 'providerTokens'>): Change {
      return noted(
        updateLive({
          id,
          claims: JSON.stringify(known.claims),
          providerTokens: known.providerTokens === undefined ? null : JSON.stringify(known.providerTokens),
        }),
      );
    },

    /** Ends it at once; changes no row when it had ended already. */
    end(id: string, by: SessionEnd): Change {
      return noted(markEnded({ id, endedBy: by }));
    },

    /** For the unit that deletes the project. */
    endOfProject: ({ teamId, id }: { teamId: string; id: string }): EndOfMany =>
      endAll(teamId, { projectId: id }, 'project-deleted'),

    /** For the unit that deletes the connector: nothing the provider says reaches its sessions any more. */
    endOfConnector: ({ teamId, id }: { teamId: string; id: string }): EndOfMany =>
      endAll(teamId, { connectorId: id }, 'connector-deleted'),

    /**
     * Ends what the provider of a connector has ended: its own session by name, or all of a person. Where the provider
     * gave no name when the visitor signed in, the person has to do.
     */
    endByProvider(
      { id: connectorId, teamId }: { id: string; teamId: string },
      { externalSub, externalSid, before }: ProviderEnd,
    ): EndOfMany {
      const update = query
        .updateTable('passportSessions')
        .set({ endedAt: database.now, endedBy: 'ended-by-provider' satisfies SessionEnd })
        .where('connectorId', '=', connectorId)
        .where('endedAt', 'is', null)
        .where('createdAt', '<=', before)
        .where((where) => {
          if (externalSid === undefined) return where('externalSub', '=', externalSub ?? '');
          const named = where('externalSid', '=', externalSid);
          if (externalSub === undefined) return named;
          const unnamed = where('externalSid', 'is', null);
          return where.and([where('externalSub', '=', externalSub), where.or([named, unnamed])]);
        });
      const visitors = { teamId, connectorId, externalSub, externalSid };
      return endMany(visitors, database.statement<object>()(() => update)({}), before);
    },

    /** For the unit that gives the project another password, or none. */
    endOfPassword: ({ teamId, id }: { teamId: string; id: string }): EndOfMany =>
      endAll(teamId, { projectId: id, connectorId: passwordConnectorId }, 'password-changed'),

    /** Ends every live session of the team that the filter matches. */
    endOfTeam: endAll,
    /** Ends all that began in this time, of one team or of all: the key of their cookies is not safe any more. */
    endBegun({ teamId, ...time }: { teamId: string | undefined; from: number; until: number }): Change {
      return noted(teamId === undefined ? markAllBegun(time) : markBegunOfTeam({ teamId, ...time }));
    },
  };
}

function sessionOf(row: PassportSessionRow): VisitorSession {
  return {
    id: row.id,
    teamId: row.teamId,
    projectId: row.projectId,
    environment: row.environment,
    deploymentId: row.deploymentId,
    host: row.host,
    connectorId: row.connectorId,
    externalSub: row.externalSub,
    externalIss: row.externalIss,
    externalSid: row.externalSid ?? undefined,
    claims: JSON.parse(row.claims) as VisitorSession['claims'],
    providerTokens:
      row.providerTokens === null
        ? undefined
        : (JSON.parse(row.providerTokens) as VisitorSession['providerTokens']),
    companionHash: row.companionHash,
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    idle:
      row.idleSeconds === null || row.idleExpiresAt === null
        ? undefined
        : { seconds: row.idleSeconds, expiresAt: row.idleExpiresAt },
    endedAt: row.endedAt ?? undefined,
  };
}
