import type { RawBuilder } from 'kysely';
import { exactly, type Bound, type Database, type Expected } from '#database';
import type { KeyPurpose } from './key.ts';
import type { TeamKeys } from './key-set.ts';

/**
 * A row of `signingKeys`. Times in milliseconds since the epoch. `removedAt` set: it is in no key set and its private
 * half is gone; the row stays, so that the key is known. `revokedAt` beside it: it was taken out before its time.
 */
export type KeyRow = {
  kid: string;
  /** Empty for a shared key. */
  teamId: string;
  purpose: string;
  algorithm: string;
  generation: number;
  publicJwk: string;
  sealedPrivateJwk: string;
  createdAt: number;
  activeFrom: number;
  removedAt: number | null;
  revokedAt: number | null;
};

type TeamKeysRow = {
  teamId: string;
  purpose: string;
  signsFrom: number;
  endsAt: number | null;
  globalFrom: number | null;
  globalUntil: number | null;
};

type KeyTables = {
  signingKeys: KeyRow;
  teamSigningKeys: TeamKeysRow;
  signingKeyChanges: { id: number; number: number };
};

/** What a change of keys rests on. `number` is that of the last change before. */
export type KeyState = { number: number; rows: KeyRow[]; teams: TeamKeys[] };

export type KeyStore = ReturnType<typeof createKeyStore>;

export function createKeyStore(database: Database) {
  const query = database.queries<KeyTables>();
  type None = Record<never, never>;

  const selectNumber = database.statement<None>()(() =>
    query.selectFrom('signingKeyChanges').select('number').where('id', '=', 1),
  );
  const selectInUse = database.statement<None>()(() =>
    query.selectFrom('signingKeys').selectAll().where('removedAt', 'is', null),
  );
  const selectRemoved = database.statement<{ limit: number }>()((value) =>
    query
      .selectFrom('signingKeys')
      .selectAll()
      .where('removedAt', 'is not', null)
      .orderBy('removedAt', 'desc')
      .orderBy('kid')
      .limit(value('limit')),
  );
  const selectOne = database.statement<{ kid: string }>()((value) =>
    query.selectFrom('signingKeys').selectAll().where('kid', '=', value('kid')),
  );
  const selectGenerations = database.statement<None>()(() =>
    query
      .selectFrom('signingKeys')
      .select((column) => [
        'teamId',
        'purpose',
        'algorithm',
        column.fn.max<number>('generation').as('generation'),
      ])
      .groupBy(['teamId', 'purpose', 'algorithm']),
  );
  const selectTeams = database.statement<None>()(() => query.selectFrom('teamSigningKeys').selectAll());
  const countUp = database.statement<None>()(() =>
    query
      .updateTable('signingKeyChanges')
      .set((value) => ({ number: value('number', '+', 1) }))
      .where('id', '=', 1),
  );
  const countUpFrom = database.statement<{ number: number }>()((value) =>
    query
      .updateTable('signingKeyChanges')
      .set((column) => ({ number: column('number', '+', 1) }))
      .where('id', '=', 1)
      .where('number', '=', value('number')),
  );
  const inserting = (value: <Name extends keyof KeyRow>(name: Name) => RawBuilder<KeyRow[Name]>) =>
    query.insertInto('signingKeys').values({
      kid: value('kid'),
      teamId: value('teamId'),
      purpose: value('purpose'),
      algorithm: value('algorithm'),
      generation: value('generation'),
      publicJwk: value('publicJwk'),
      sealedPrivateJwk: value('sealedPrivateJwk'),
      createdAt: value('createdAt'),
      activeFrom: value('activeFrom'),
      removedAt: value('removedAt'),
      revokedAt: value('revokedAt'),
    });
  const insertKey = database.statement<KeyRow>()(inserting);
  // A process that comes second leaves the first one's key as it is, and reads it afterwards.
  const insertUnlessTaken = database.statement<KeyRow>()((value) =>
    inserting(value).onConflict((conflict) =>
      conflict.columns(['teamId', 'purpose', 'algorithm', 'generation']).doNothing(),
    ),
  );
  const removeKey = database.statement<Pick<KeyRow, 'kid' | 'removedAt' | 'revokedAt'>>()((value) =>
    query
      .updateTable('signingKeys')
      .set({ removedAt: value('removedAt'), revokedAt: value('revokedAt'), sealedPrivateJwk: '' })
      .where('kid', '=', value('kid'))
      .where('removedAt', 'is', null),
  );
  const activateKey = database.statement<Pick<KeyRow, 'kid' | 'activeFrom'>>()((value) =>
    query
      .updateTable('signingKeys')
      .set({ activeFrom: value('activeFrom') })
      .where('kid', '=', value('kid'))
      .where('removedAt', 'is', null),
  );
  const insertTeam = database.statement<TeamKeysRow>()((value) =>
    query.insertInto('teamSigningKeys').values({
      teamId: value('teamId'),
      purpose: value('purpose'),
      signsFrom: value('signsFrom'),
      endsAt: value('endsAt'),
      globalFrom: value('globalFrom'),
      globalUntil: value('globalUntil'),
    }),
  );
  const updateTeam = database.statement<TeamKeysRow>()((value) =>
    query
      .updateTable('teamSigningKeys')
      .set({
        signsFrom: value('signsFrom'),
        endsAt: value('endsAt'),
        globalFrom: value('globalFrom'),
        globalUntil: value('globalUntil'),
      })
      .where('teamId', '=', value('teamId'))
      .where('purpose', '=', value('purpose')),
  );
  const deleteTeam = database.statement<Pick<TeamKeysRow, 'teamId' | 'purpose'>>()((value) =>
    query
      .deleteFrom('teamSigningKeys')
      .where('teamId', '=', value('teamId'))
      .where('purpose', '=', value('purpose')),
  );

  const readNumber = async (): Promise<number> =>
    Number((await database.find<{ number: number }>(selectNumber({})))?.number ?? 0);

  return {
    /** Of the last change. The cheapest question that tells whether a copy is still the newest. */
    readNumber,

    /** All keys that are not removed. The number is read first: what is newer than it shows at the next look. */
    async readState(): Promise<KeyState> {
      const number = await readNumber();
      const [rows, teams] = await Promise.all([
        database.list<KeyRow>(selectInUse({})),
        database.list<TeamKeysRow>(selectTeams({})),
      ]);
      return { number, rows, teams: teams.map(teamKeysOf) };
    },

    /** The newest generation of each line there ever was: removed keys keep theirs. */
    listGenerations: () =>
      database.list<Pick<KeyRow, 'teamId' | 'purpose' | 'algorithm' | 'generation'>>(selectGenerations({})),
    /** The keys that were removed last. */
    listRemoved: (limit: number) => database.list<KeyRow>(selectRemoved({ limit })),
    find: (kid: string) => database.find<KeyRow>(selectOne({ kid })),

    /** All rows in one unit; those that are there already stay as they are. */
    async insertUnlessTaken(rows: readonly KeyRow[]) {
      await database.write([countUp({}), ...rows.map((row) => insertUnlessTaken(row))]);
    },

    /** First in the unit of every change that was decided on a state: refused when it is not the newest any more. */
    countUpFrom: (number: number): Expected => exactly(1, countUpFrom({ number })),
    insert: (row: KeyRow): Bound<unknown> => insertKey(row),
    /** Out of every key set, without its private half. */
    remove: (kid: string, removedAt: number, revokedAt?: number): Expected =>
      exactly(1, removeKey({ kid, removedAt, revokedAt: revokedAt ?? null })),
    activate: (kid: string, activeFrom: number): Expected => exactly(1, activateKey({ kid, activeFrom })),
    insertTeam: (keys: TeamKeys): Bound<unknown> => insertTeam(teamKeysRow(keys)),
    updateTeam: (keys: TeamKeys): Expected => exactly(1, updateTeam(teamKeysRow(keys))),
    deleteTeam: (keys: TeamKeys): Expected => exactly(1, deleteTeam(keys)),
  };
}

function teamKeysOf(row: TeamKeysRow): TeamKeys {
  return {
    teamId: row.teamId,
    purpose: row.purpose as KeyPurpose,
    signsFrom: row.signsFrom,
    endsAt: row.endsAt ?? undefined,
    globalFrom: row.globalFrom ?? undefined,
    globalUntil: row.globalUntil ?? undefined,
  };
}

function teamKeysRow(keys: TeamKeys): TeamKeysRow {
  return {
    teamId: keys.teamId,
    purpose: keys.purpose,
    signsFrom: keys.signsFrom,
    endsAt: keys.endsAt ?? null,
    globalFrom: keys.globalFrom ?? null,
    globalUntil: keys.globalUntil ?? null,
  };
}
