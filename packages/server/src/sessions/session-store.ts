import { sql } from 'kysely';
import type { Bound, Database, Expected } from '#database';
import { exactly } from '#database';
import { idleLifetimeMilliseconds, type Session } from './session.ts';

type SessionTables = {
  sessions: {
    id: string;
    secretHash: string;
    userId: string;
    authenticatedAt: number;
    amr: string;
    createdAt: number;
    lastSeenAt: number;
    expiresAt: number;
    endedAt: number | null;
    userAgent: string | null;
    address: string | null;
  };
};
type Row = SessionTables['sessions'];
type Owned = { id: string; userId: string; endedAt: number };

export type SessionStore = ReturnType<typeof createSessionStore>;

export function createSessionStore(database: Database) {
  const query = database.queries<SessionTables>();
  const live = sql<boolean>`"endedAt" is null and "expiresAt" > ${database.now} and "lastSeenAt" > ${database.now} - ${sql.lit(idleLifetimeMilliseconds)}`;

  const selectBySecret = database.statement<{ secretHash: string }>()((value) =>
    query.selectFrom('sessions').selectAll().where('secretHash', '=', value('secretHash')).where(live),
  );
  const selectById = database.statement<{ id: string }>()((value) =>
    query.selectFrom('sessions').selectAll().where('id', '=', value('id')).where(live),
  );
  const selectOfUser = database.statement<{ userId: string }>()((value) =>
    query
      .selectFrom('sessions')
      .selectAll()
      .where('userId', '=', value('userId'))
      .where(live)
      .orderBy('lastSeenAt', 'desc')
      .orderBy('id'),
  );
  const insertRow = database.statement<Row>()((value) =>
    query.insertInto('sessions').values({
      id: value('id'),
      secretHash: value('secretHash'),
      userId: value('userId'),
      authenticatedAt: value('authenticatedAt'),
      amr: value('amr'),
      createdAt: value('createdAt'),
      lastSeenAt: value('lastSeenAt'),
      expiresAt: value('expiresAt'),
      endedAt: value('endedAt'),
      userAgent: value('userAgent'),
      address: value('address'),
    }),
  );
  const updateSecret = database.statement<
    Pick<Row, 'id' | 'secretHash' | 'amr' | 'authenticatedAt' | 'expiresAt'> & { formerHash: string }
  >()((value) =>
    query
      .updateTable('sessions')
      .set({
        secretHash: value('secretHash'),
        amr: value('amr'),
        authenticatedAt: value('authenticatedAt'),
        lastSeenAt: value('authenticatedAt'),
        expiresAt: value('expiresAt'),
      })
      .where('id', '=', value('id'))
      .where('secretHash', '=', value('formerHash'))
      .where(live),
  );
  const updateSeen = database.statement<{ id: string; lastSeenAt: number }>()((value) =>
    query
      .updateTable('sessions')
      .set({ lastSeenAt: value('lastSeenAt') })
      .where('id', '=', value('id')),
  );
  // Changes nothing: it takes the row's lock, so that a unit which rests on the session and one which ends it cannot
  // both believe that they were first.
  const holdLive = database.statement<{ id: string }>()((value) =>
    query.updateTable('sessions').set({ endedAt: null }).where('id', '=', value('id')).where(live),
  );
  const endOne = database.statement<{ id: string; endedAt: number }>()((value) =>
    query
      .updateTable('sessions')
      .set({ endedAt: value('endedAt') })
      .where('id', '=', value('id'))
      .where('endedAt', 'is', null),
  );
  const endOthers = database.statement<Owned>()((value) =>
    query
      .updateTable('sessions')
      .set({ endedAt: value('endedAt') })
      .where('userId', '=', value('userId'))
      .where('id', '!=', value('id'))
      .where('endedAt', 'is', null),
  );

  return {
    async findBySecretHash(secretHash: string): Promise<Session | undefined> {
      const row = await database.find(selectBySecret({ secretHash }));
      return row && sessionOf(row);
    },
    async find(id: string): Promise<Session | undefined> {
      const row = await database.find(selectById({ id }));
      return row && sessionOf(row);
    },
    async listOfUser(userId: string): Promise<Session[]> {
      return (await database.list(selectOfUser({ userId }))).map(sessionOf);
    },
    insert: (session: Session, secretHash: string): Expected =>
      exactly(
        1,
        insertRow({
          ...session,
          secretHash,
          amr: JSON.stringify(session.amr),
          endedAt: null,
          userAgent: session.userAgent ?? null,
          address: session.address ?? null,
        }),
      ),
    replaceSecret: (session: Session, formerHash: string, secretHash: string): Expected =>
      exactly(1, updateSecret({ ...session, amr: JSON.stringify(session.amr), formerHash, secretHash })),
    seen: (id: string, lastSeenAt: number): Bound<unknown> => updateSeen({ id, lastSeenAt }),
    requireLive: (id: string): Expected => exactly(1, holdLive({ id })),
    end: (id: string, endedAt: number): Bound<unknown> => endOne({ id, endedAt }),
    endOthers: (owned: Owned): Bound<unknown> => endOthers(owned),
  };
}

function sessionOf(row: Row): Session {
  return {
    id: row.id,
    userId: row.userId,
    authenticatedAt: row.authenticatedAt,
    amr: JSON.parse(row.amr) as string[],
    createdAt: row.createdAt,
    lastSeenAt: row.lastSeenAt,
    expiresAt: row.expiresAt,
    userAgent: row.userAgent ?? undefined,
    address: row.address ?? undefined,
  };
}
