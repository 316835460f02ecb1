import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import {
  CompiledQuery,
  Kysely,
  sql,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
  type DatabaseConnection,
  type SqliteDatabase,
  type SqliteDialectConfig,
} from 'kysely';
import type { Clock } from '#clock';
import { DatabaseUnavailable } from '#errors';
import type { Database } from './database.ts';
import {
  createStatement,
  isExpected,
  textAt,
  UnitRefused,
  type Bound,
  type Outcome,
  type Unit,
} from './statement.ts';

// Another process may hold the file for a commit. Waiting inside SQLite stops our event loop, so that wait is short
// and the rest of the patience is ours.
const busyTimeoutMilliseconds = 50;
const patienceMilliseconds = 1_500;
const migrationTimeoutMilliseconds = 30_000;

type Waiting = { unit: Unit; settle: (outcome: Outcome) => void; fail: (error: unknown) => void };

/** Opens a SQLite file. All writes of one turn of the event loop share one commit, a savepoint each. */
export function openSqlite(path: string, clock: Clock): Database {
  const connection = openConnection(path, busyTimeoutMilliseconds);
  let highWater = 0;
  connection.function('tessera_now', { deterministic: false }, () => {
    // Set back, the machine's clock must not give expired things a second life.
    highWater = Math.max(highWater, clock.now());
    return highWater;
  });

  const prepared = new Map<string, StatementSync>();
  const prepare = (text: string): StatementSync => {
    let statement = prepared.get(text);
    if (statement === undefined) {
      statement = connection.prepare(text);
      prepared.set(text, statement);
    }
    return statement;
  };
  const run = (bound: Bound<unknown>): number =>
    Number(prepare(bound.text).run(...(bound.values as SQLInputValue[])).changes);

  const runUnit = (unit: Unit): Outcome => {
    prepare('savepoint unit').run();
    try {
      for (const [index, part] of unit.entries()) {
        const expected = isExpected(part) ? part.rows : undefined;
        const changed = run(isExpected(part) ? part.bound : part);
        if (expected !== undefined && changed !== expected) {
          connection.exec('rollback to unit; release unit');
          return { committed: false, refusedAt: index };
        }
      }
      prepare('release unit').run();
      return { committed: true };
    } catch (error) {
      connection.exec('rollback to unit; release unit');
      throw error;
    }
  };

  /** One commit for all that waits. Answers go out only after it: what was answered is on the disk. */
  const commitAll = (waiting: readonly Waiting[]): void => {
    prepare('begin immediate').run();
    const settled: (() => void)[] = [];
    try {
      for (const { unit, settle, fail } of waiting) {
        try {
          const outcome = runUnit(unit);
          settled.push(() => settle(outcome));
        } catch (error) {
          if (isStorageTrouble(error) || !connection.isTransaction) throw error;
          settled.push(() => fail(error));
        }
      }
      prepare('commit').run();
    } catch (error) {
      if (connection.isTransaction) connection.exec('rollback');
      throw error;
    }
    for (const answer of settled) answer();
  };

  let queue: Waiting[] = [];
  let flushing = false;
  const flush = async (): Promise<void> => {
    while (queue.length > 0) {
      const waiting = queue;
      queue = [];
      const until = performance.now() + patienceMilliseconds;
      for (;;) {
        try {
          commitAll(waiting);
          break;
        } catch (error) {
          if (isBusy(error) && performance.now() < until) {
            await delay(5 + Math.random() * 20);
            continue;
          }
          const unavailable = asUnavailable(error);
          for (const { fail } of waiting) fail(unavailable);
          break;
        }
      }
    }
    flushing = false;
  };

  const tryWrite = (unit: Unit): Promise<Outcome> =>
    new Promise((settle, fail) => {
      queue.push({ unit, settle, fail });
      if (flushing) return;
      flushing = true;
      setImmediate(() => void flush());
    });

  const read = async <Result>(ask: () => Result): Promise<Result> => {
    const until = performance.now() + patienceMilliseconds;
    for (;;) {
      try {
        return ask();
      } catch (error) {
        if (isBusy(error) && performance.now() < until) {
          await delay(5 + Math.random() * 20);
          continue;
        }
        throw isStorageTrouble(error) ? asUnavailable(error) : error;
      }
    }
  };

  // Migrations have a connection of their own: they wait for each other longer than a request may wait.
  const schema = new Kysely<unknown>({
    dialect: new MigratingSqliteDialect({
      database: async () => adapt(openConnection(path, migrationTimeoutMilliseconds)),
    }),
  });

  return {
    dialect: 'sqlite',
    now: sql<number>`tessera_now()`,
    queries: <Tables>() => schema as Kysely<Tables>,
    statement: createStatement,
    find: <Row>(bound: Bound<Row>) =>
      read(() => prepare(bound.text).get(...(bound.values as SQLInputValue[])) as Row | undefined),
    list: <Row>(bound: Bound<Row>) =>
      read(() => prepare(bound.text).all(...(bound.values as SQLInputValue[])) as Row[]),
    tryWrite,
    async write(unit) {
      const outcome = await tryWrite(unit);
      if (!outcome.committed) throw new UnitRefused(outcome.refusedAt, textAt(unit, outcome.refusedAt));
    },
    isAnswering: () =>
      read(() => connection.prepare('select count(*) from sqlite_schema').get()).then(
        () => true,
        () => false,
      ),
    migrateWith: (run) => schema.transaction().execute(run),
    async close() {
      await schema.destroy();
      prepared.clear();
      connection.close();
    },
  };
}

function openConnection(path: string, timeout: number): DatabaseSync {
  try {
    const connection = new DatabaseSync(path, { timeout });
    connection.exec('pragma journal_mode = wal');
    // NORMAL may lose the last commits at a power cut, and a used token would live again.
    connection.exec('pragma synchronous = full');
    // Random keys touch the same pages again and again: with four times as many between checkpoints, a third of the
    // bytes is written.
    connection.exec('pragma wal_autocheckpoint = 4000');
    connection.exec('pragma foreign_keys = on');
    return connection;
  } catch (error) {
    throw new DatabaseUnavailable(`the SQLite file ${path} cannot be opened`, { cause: error });
  }
}

/** What Kysely's dialect asks of a SQLite library, answered by Node's own. Migrations alone go this way. */
function adapt(connection: DatabaseSync): SqliteDatabase {
  return {
    close: () => connection.close(),
    prepare(text) {
      const statement = connection.prepare(text);
      const reader = statement.columns().length > 0;
      return {
        reader,
        all: (values) => statement.all(...(values as SQLInputValue[])),
        iterate: (values) => connection.prepare(text).iterate(...(values as SQLInputValue[])),
        run(values) {
          const { changes, lastInsertRowid } = statement.run(...(values as SQLInputValue[]));
          return { changes: BigInt(changes), lastInsertRowid: BigInt(lastInsertRowid) };
        },
      };
    },
  };
}

/** SQLite's schema changes are transactional; Kysely does not use that by itself, and a half-done migration would stay. */
class MigratingSqliteDialect extends SqliteDialect {
  readonly #config: SqliteDialectConfig;

  constructor(config: SqliteDialectConfig) {
    super(config);
    this.#config = config;
  }

  override createAdapter(): SqliteAdapter {
    return new MigratingSqliteAdapter();
  }

  override createDriver(): SqliteDriver {
    return new MigratingSqliteDriver(this.#config);
  }
}

class MigratingSqliteDriver extends SqliteDriver {
  // A transaction that begins as a writer waits for another process's; one that has read first would fail.
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }
}

class MigratingSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

// Primary result codes of SQLite: 5 BUSY, 6 LOCKED, 8 READONLY, 10 IOERR, 11 CORRUPT, 13 FULL, 14 CANTOPEN, 26 NOTADB.
const storageTrouble = new Set([5, 6, 8, 10, 11, 13, 14, 26]);

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number')
    return undefined;
  return error.errcode & 0xff;
}

function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === 5 || code === 6;
}

function isStorageTrouble(error: unknown): boolean {
  if (error instanceof Error && error.message === 'database is not open') return true;
  const code = resultCode(error);
  return code !== undefined && storageTrouble.has(code);
}

function asUnavailable(error: unknown): unknown {
  return isStorageTrouble(error)
    ? new DatabaseUnavailable('SQLite does not answer', { cause: error })
    : error;
}
