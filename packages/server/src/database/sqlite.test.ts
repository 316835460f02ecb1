import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSystemClock } from '#clock';
import { DatabaseUnavailable } from '#errors';
import type { Database } from './database.ts';
import { migrate, type Migration } from './migrate.ts';
import { openSqlite } from './sqlite.ts';
import { exactly } from './statement.ts';
import { createWriteAheadLog, openWriteAheadLog, type OpenWriteAheadLog } from './write-ahead-log.ts';

type CoinTables = { coins: { id: string } };
const migrations: readonly Migration[] = [
  {
    name: '0001-coins-create',
    up: (schema) =>
      schema.schema
        .createTable('coins')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .execute(),
  },
];

describe('SQLite answers a write when it is on the disk', () => {
  let folder: string;
  let database: Database;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tessera-sync-'));
  });
  afterEach(async () => {
    await database.close();
    rmSync(folder, { recursive: true });
  });
  const path = () => join(folder, 'tessera.db');

  /** A disk that takes its time: each sync waits for the test. */
  function createSlowDisk() {
    const syncs: ((error: Error | null) => void)[] = [];
    let closed = false;
    const open: OpenWriteAheadLog = () =>
      createWriteAheadLog(
        (done) => syncs.push(done),
        () => {
          closed = true;
        },
      );
    return { syncs, open, isClosed: () => closed };
  }
  async function openOn(openLog: OpenWriteAheadLog) {
    database = openSqlite(path(), createSystemClock(), openLog);
    await migrate(database, migrations);
    const query = database.queries<CoinTables>();
    const insert = database.statement<{ id: string }>()((value) =>
      query
        .insertInto('coins')
        .values({ id: value('id') })
        .onConflict((conflict) => conflict.doNothing()),
    );
    const list = database.statement<Record<never, never>>()(() => query.selectFrom('coins').selectAll());
    return { insert: (id: string) => insert({ id }), list: list({}) };
  }
  /** Follows what becomes of a write. */
  function follow(write: Promise<unknown>) {
    const followed = { state: 'waiting', error: undefined as unknown };
    void write.then(
      () => (followed.state = 'answered'),
      (error: unknown) => Object.assign(followed, { state: 'failed', error }),
    );
    return followed;
  }
  const laterOn = () => delay(30);

  it('and not before, however long that takes', async () => {
    const disk = createSlowDisk();
    const { insert, list } = await openOn(disk.open);
    const write = follow(database.write([insert('a')]));
    await laterOn();
    expect([write.state, disk.syncs.length]).toEqual(['waiting', 1]);
    expect(await database.list(list), 'while others may see it').toHaveLength(1);
    disk.syncs[0]!(null);
    await laterOn();
    expect(write.state).toBe('answered');
  });

  it('with one sync for all that came during the last one', async () => {
    const disk = createSlowDisk();
    const { insert } = await openOn(disk.open);
    const first = follow(database.write([insert('a')]));
    await laterOn();
    const others = ['b', 'c', 'd'].map((id) => follow(database.write([insert(id)])));
    await laterOn();
    expect(disk.syncs, 'a sync that began before a write says nothing about it').toHaveLength(1);
    disk.syncs[0]!(null);
    await laterOn();
    expect([first, ...others].map(({ state }) => state)).toEqual([
      'answered',
      'waiting',
      'waiting',
      'waiting',
    ]);
    expect(disk.syncs).toHaveLength(2);
    disk.syncs[1]!(null);
    await laterOn();
    expect(others.map(({ state }) => state)).toEqual(['answered', 'answered', 'answered']);
  });

  it('and refuses at once what wrote nothing', async () => {
    const disk = createSlowDisk();
    const { insert } = await openOn(disk.open);
    const write = database.write([insert('a')]);
    await laterOn();
    disk.syncs[0]!(null);
    await write;
    expect(await database.tryWrite([exactly(1, insert('a'))])).toEqual({ committed: false, refusedAt: 0 });
    expect(disk.syncs).toHaveLength(1);
  });

  it('also a refusal, when it rests on what is not there yet', async () => {
    const disk = createSlowDisk();
    const { insert } = await openOn(disk.open);
    const write = follow(database.write([insert('a')]));
    await laterOn();
    const refused = follow(database.tryWrite([exactly(1, insert('a'))]));
    await laterOn();
    expect([write.state, refused.state]).toEqual(['waiting', 'waiting']);
    disk.syncs[0]!(null);
    disk.syncs[1]!(null);
    await laterOn();
    expect([write.state, refused.state]).toEqual(['answered', 'answered']);
  });

  it('undoes a refused unit alone, with what it had written', async () => {
    const { insert, list } = await openOn(openWriteAheadLog);
    const outcomes = await Promise.all([
      database.tryWrite([exactly(1, insert('a'))]),
      database.tryWrite([insert('b'), exactly(1, insert('a')), insert('c')]),
      database.tryWrite([exactly(1, insert('d'))]),
    ]);
    expect(outcomes).toEqual([{ committed: true }, { committed: false, refusedAt: 1 }, { committed: true }]);
    expect((await database.list(list)).map(({ id }) => id)).toEqual(['a', 'd']);
  });

  it('and answers nothing any more after a sync that failed', async () => {
    const disk = createSlowDisk();
    const { insert, list } = await openOn(disk.open);
    const written = follow(database.write([insert('a')]));
    await laterOn();
    const next = follow(database.write([insert('b')]));
    disk.syncs[0]!(new Error('EIO'));
    await laterOn();
    for (const { state, error } of [written, next]) {
      expect([state, error]).toEqual(['failed', expect.any(DatabaseUnavailable)]);
    }
    await expect(database.write([insert('c')])).rejects.toThrow(DatabaseUnavailable);
    await expect(database.list(list)).rejects.toThrow(DatabaseUnavailable);
    expect(await database.isAnswering()).toBe(false);
    expect(disk.syncs, 'a second try would prove nothing').toHaveLength(1);
  });

  it('and closes after its last answer', async () => {
    const disk = createSlowDisk();
    const { insert } = await openOn(disk.open);
    const write = follow(database.write([insert('a')]));
    await laterOn();
    const closed = follow(database.close());
    await laterOn();
    expect([closed.state, disk.isClosed()]).toEqual(['waiting', false]);
    disk.syncs[0]!(null);
    await laterOn();
    expect([write.state, closed.state, disk.isClosed()]).toEqual(['answered', 'answered', true]);
    database = openSqlite(path(), createSystemClock());
  });

  it('so that a power cut at any moment loses nothing that was answered', async () => {
    const disk: OpenWriteAheadLog = (databasePath) => {
      const real = openWriteAheadLog(databasePath);
      let copies = 0;
      return createWriteAheadLog(
        (done) => {
          // What the disk is sure to have when this sync ends: the files as they are when it begins.
          const copy = join(folder, `copy-${copies++}.db`);
          copyFileSync(databasePath, copy);
          copyFileSync(`${databasePath}-wal`, `${copy}-wal`);
          void (async () => {
            await real.sync();
            onDisk = copy;
            done(null);
          })();
        },
        () => real.close(),
      );
    };
    let onDisk = '';
    const { insert } = await openOn(disk);
    const lost: string[] = [];
    const writeAndCut = async (id: string) => {
      await database.write([insert(id)]);
      const restarted = new DatabaseSync(onDisk);
      if (restarted.prepare('select id from coins where id = ?').get(id) === undefined) lost.push(id);
      restarted.close();
    };
    const writer = async (name: string) => {
      for (let number = 0; number < 15; number++) await writeAndCut(`${name}${number}`);
    };
    await Promise.all(['a', 'b', 'c', 'd'].map(writer));
    expect(lost).toEqual([]);
  });

  it('and is not opened where there is no log to put there', () => {
    database = openSqlite(path(), createSystemClock());
    expect(() => openSqlite(':memory:', createSystemClock())).toThrow(DatabaseUnavailable);
  });
});
