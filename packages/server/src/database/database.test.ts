import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createShiftedClock } from '#clock';
import { exactly, migrate, openDatabase, UnitRefused, type Database, type Migration } from '#database';
import { DatabaseUnavailable } from '#errors';
import { addressOf, createTestDatabase, databaseKinds } from '../../../../tests/harness/test-databases.ts';

type CoinTables = { coins: { id: string; owner: string | null; expiresAt: number } };

const migrations: readonly Migration[] = [
  {
    name: '0001-coins-create',
    async up(schema) {
      await schema.schema
        .createTable('coins')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('owner', 'text')
        .addColumn('expiresAt', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
];

describe.each(databaseKinds)('the database on %s', (kind) => {
  const clock = createShiftedClock();
  let database: Database;
  let remove: () => Promise<void>;

  beforeEach(async () => {
    const place = await createTestDatabase(kind);
    remove = () => place.remove();
    database = openDatabase(addressOf(place), clock);
    await migrate(database, migrations);
  });
  afterEach(async () => {
    await database.close();
    await remove();
  });

  const statements = () => {
    const query = database.queries<CoinTables>();
    return {
      insert: database.statement<CoinTables['coins']>()((value) =>
        query
          .insertInto('coins')
          .values({ id: value('id'), owner: value('owner'), expiresAt: value('expiresAt') })
          .onConflict((conflict) => conflict.doNothing()),
      ),
      take: database.statement<{ id: string; owner: string }>()((value) =>
        query
          .updateTable('coins')
          .set({ owner: value('owner') })
          .where('id', '=', value('id'))
          .where('owner', 'is', null)
          .where('expiresAt', '>', database.now),
      ),
      find: database.statement<{ id: string }>()((value) =>
        query.selectFrom('coins').selectAll().where('id', '=', value('id')),
      ),
      list: database.statement<Record<never, never>>()(() =>
        query.selectFrom('coins').selectAll().orderBy('id'),
      ),
    };
  };

  it('keeps what a unit wrote, with numbers as numbers', async () => {
    const { insert, find } = statements();
    const expiresAt = clock.now() + 60_000;
    await database.write([insert({ id: 'a', owner: null, expiresAt })]);
    expect({ ...(await database.find(find({ id: 'a' }))) }).toEqual({ id: 'a', owner: null, expiresAt });
    expect(await database.find(find({ id: 'b' }))).toBeUndefined();
  });

  it('does all of a unit or nothing, and says which statement refused', async () => {
    const { insert, take, list } = statements();
    const coin = (id: string) => insert({ id, owner: null, expiresAt: clock.now() + 60_000 });
    const unit = [coin('a'), exactly(1, take({ id: 'missing', owner: 'x' })), coin('b')];
    expect(await database.tryWrite(unit)).toEqual({ committed: false, refusedAt: 1 });
    await expect(database.write(unit)).rejects.toThrow(UnitRefused);
    expect(await database.list(list({}))).toEqual([]);
  });

  it('lets one of a hundred takers win', async () => {
    const { insert, take } = statements();
    await database.write([insert({ id: 'a', owner: null, expiresAt: clock.now() + 60_000 })]);
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        database.tryWrite([exactly(1, take({ id: 'a', owner: `${index}` }))]),
      ),
    );
    expect(outcomes.filter((outcome) => outcome.committed)).toHaveLength(1);
  });

  it('judges expiry by its own clock, which a test can move', async () => {
    const { insert, take } = statements();
    await database.write([insert({ id: 'a', owner: null, expiresAt: clock.now() + 60_000 })]);
    clock.advance(61_000);
    expect(await database.tryWrite([exactly(1, take({ id: 'a', owner: 'x' }))])).toEqual({
      committed: false,
      refusedAt: 0,
    });
  });

  it('fails one unit of a commit without its neighbours', async () => {
    const { insert, list } = statements();
    const broken = database.statement<{ id: string }>()((value) =>
      database
        .queries<CoinTables>()
        .insertInto('coins')
        .values({ id: value('id'), owner: null, expiresAt: null as never }),
    );
    const results = await Promise.allSettled([
      database.write([insert({ id: 'a', owner: null, expiresAt: 1 })]),
      database.write([broken({ id: 'b' })]),
      database.write([insert({ id: 'c', owner: null, expiresAt: 1 })]),
    ]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await database.list(list({}))).map((row) => row.id)).toEqual(['a', 'c']);
  });
});

describe('a database that does not answer', () => {
  it('is DatabaseUnavailable on PostgreSQL', async () => {
    const database = openDatabase(
      { dialect: 'postgres', connectionString: 'postgres://nobody@127.0.0.1:1/none' },
      createShiftedClock(),
    );
    const query = database.queries<CoinTables>();
    const list = database.statement<Record<never, never>>()(() => query.selectFrom('coins').selectAll());
    await expect(database.list(list({}))).rejects.toThrow(DatabaseUnavailable);
    await expect(database.write([list({})])).rejects.toThrow(DatabaseUnavailable);
    await database.close();
  });

  it('is DatabaseUnavailable on a SQLite path that cannot be opened', () => {
    expect(() =>
      openDatabase({ dialect: 'sqlite', path: '/nonexistent/folder/x.db' }, createShiftedClock()),
    ).toThrow(DatabaseUnavailable);
  });
});

describe('a database of a newer release', () => {
  it.each(databaseKinds)('is said to be one, on %s', async (kind) => {
    const place = await createTestDatabase(kind);
    const database = openDatabase(addressOf(place), createShiftedClock());
    const step = (name: string) => ({ name, up: async () => undefined });
    await migrate(database, [step('0001-old'), step('0002-new')]);
    await expect(migrate(database, [step('0001-old')])).rejects.toThrow(
      'of a newer release than this one (its step 0002-new is not known here)',
    );
    await database.close();
    await place.remove();
  });
});

describe('several processes that start together', () => {
  // In processes of their own: SQLite waits for a lock inside the call, which would stop the one that holds it.
  const program = `
    import { createSystemClock } from '#clock';
    import { migrate, openDatabase } from '#database';
    const database = openDatabase(JSON.parse(process.argv[1]), createSystemClock());
    const create = (name) => ({ name, up: (schema) => schema.schema.createTable(name).addColumn('id', 'text').execute() });
    await migrate(database, [create('first'), create('second')]);
    await database.close();
  `;
  it.each(databaseKinds)('migrate once on %s', async (kind) => {
    const place = await createTestDatabase(kind);
    const run = promisify(execFile);
    await Promise.all(
      Array.from({ length: 4 }, () =>
        run(
          process.execPath,
          ['--input-type=module-typescript', '-e', program, JSON.stringify(addressOf(place))],
          {
            cwd: join(import.meta.dirname, '../..'),
          },
        ),
      ),
    );
    await place.remove();
  });
});
