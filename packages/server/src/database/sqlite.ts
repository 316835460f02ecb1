import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { Kysely, sql } from 'kysely';
import type { Clock } from '#clock';
import { DatabaseUnavailable } from '#errors';
import type { Database } from './database.ts';
import { adapt, MigratingSqliteDialect } from './migrating-sqlite.ts';
import {
  createStatement,
  isExpected,
  textAt,
  UnitRefused,
  type Bound,
  type Outcome,
  type Unit,
} from './statement.ts';
import { openWriteAheadLog, type OpenWriteAheadLog, type WriteAheadLog } from './write-ahead-log.ts';

// Another process may hold the file for a commit. Waiting inside SQLite stops our event loop, so that wait is short
// and the rest of the patience is ours.
const busyTimeoutMilliseconds = 50;
const patienceMilliseconds = 1_500;
const migrationTimeoutMilliseconds = 30_000;

type Waiting = { unit: Unit; settle: (outcome: Outcome) => void; fail: (error: unknown) => void };
/** Units that ran: what is answered once the commit is on the disk, and whether anything is to go there. */
type Ran = { answers: (() => void)[]; wrote: boolean };

/**
 * Opens a SQLite file. Writes that wait together share one commit, a savepoint each, and are answered when it is on
 * the disk.
 */
export function openSqlite(path: string, clock: Clock, openLog = openWriteAheadLog): Database {
  const connection = openConnection(path, busyTimeoutMilliseconds);
  const log = openOwnLog(connection, path, openLog);
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
  const findFirst = createRowFinder(connection);
  const run = (bound: Bound<unknown>): number =>
    Number(prepare(bound.text).run(...(bound.values as SQLInputValue[])).changes);

  /** Runs a unit up to the statement that is refused, and counts the rows that it changed. */
  const runUnit = (unit: Unit): { outcome: Outcome; changes: number } => {
    let changes = 0;
    for (const [index, part] of unit.entries()) {
      const expected = isExpected(part) ? part.rows : undefined;
      const changed = run(isExpected(part) ? part.bound : part);
      changes += changed;
      if (expected !== undefined && changed !== expected) {
        return { outcome: { committed: false, refusedAt: index }, changes };
      }
    }
    return { outcome: { committed: true }, changes };
  };

  /**
   * Runs them without savepoints, which cost a tenth of the processor time of a rotation. Undefined when one of them
   * would have to be undone without its neighbours: seldom, since who loses a race mostly changed nothing yet.
   */
  const runTogether = (waiting: readonly Waiting[]): Ran | undefined => {
    const ran: Ran = { answers: [], wrote: false };
    try {
      for (const { unit, settle } of waiting) {
        const { outcome, changes } = runUnit(unit);
        if (!outcome.committed && changes > 0) return undefined;
        ran.wrote ||= changes > 0;
        ran.answers.push(() => settle(outcome));
      }
      return ran;
    } catch (error) {
      if (isStorageTrouble(error)) throw error;
      return undefined;
    }
  };

  const runApart = (waiting: readonly Waiting[]): Ran => {
    const ran: Ran = { answers: [], wrote: false };
    for (const { unit, settle, fail } of waiting) {
      prepare('savepoint unit').run();
      try {
        const { outcome, changes } = runUnit(unit);
        if (outcome.committed) ran.wrote ||= changes > 0;
        else prepare('rollback to unit').run();
        ran.answers.push(() => settle(outcome));
      } catch (error) {
        if (isStorageTrouble(error) || !connection.isTransaction) throw error;
        prepare('rollback to unit').run();
        ran.answers.push(() => fail(error));
      }
      prepare('release unit').run();
    }
    return ran;
  };

  /** One commit for all that waits. */
  const commitAll = (waiting: readonly Waiting[]): Ran => {
    log.requireSound();
    prepare('begin immediate').run();
    try {
      let ran = runTogether(waiting);
      if (ran === undefined) {
        if (connection.isTransaction) prepare('rollback').run();
        prepare('begin immediate').run();
        ran = runApart(waiting);
      }
      prepare('commit').run();
      return ran;
    } catch (error) {
      if (connection.isTransaction) connection.exec('rollback');
      throw error;
    }
  };

  /** A refusal too waits for the disk, as long as it may rest on a commit that is not there yet. */
  const answerOnDisk = async (waiting: readonly Waiting[], { answers, wrote }: Ran): Promise<void> => {
    try {
      if (wrote || !log.isSynced()) await log.sync();
      for (const answer of answers) answer();
    } catch (error) {
      for (const { fail } of waiting) fail(error);
    }
  };

  let lastAnswers: Promise<void> | undefined;
  let queue: Waiting[] = [];
  let flushing: Promise<void> | undefined;
  const flush = async (): Promise<void> => {
    while (queue.length > 0) {
      const waiting = queue;
      queue = [];
      const until = performance.now() + patienceMilliseconds;
      for (;;) {
        try {
          lastAnswers = answerOnDisk(waiting, commitAll(waiting));
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
    flushing = undefined;
  };

  const tryWrite = (unit: Unit): Promise<Outcome> =>
    new Promise((settle, fail) => {
      queue.push({ unit, settle, fail });
      flushing ??= nextTurn().then(flush);
    });

  const read = async <Result>(ask: () => Result): Promise<Result> => {
    const until = performance.now() + patienceMilliseconds;
    for (;;) {
      try {
        log.requireSound();
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

  // It builds queries; what runs on it are migrations alone. They have a connection of their own, as long as they run:
  // they wait for each other longer than a request may wait.
  const openSchema = () =>
    new Kysely<unknown>({
      dialect: new MigratingSqliteDialect({
        database: async () => adapt(openConnection(path, migrationTimeoutMilliseconds)),
      }),
    });
  const builder = openSchema();

  return {
    dialect: 'sqlite',
    now: sql<number>`tessera_now()`,
    queries: <Tables>() => builder as Kysely<Tables>,
    statement: createStatement,
    find: <Row>(bound: Bound<Row>) =>
      read(() => findFirst(bound.text, bound.values as SQLInputValue[]) as Row | undefined),
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
    async migrateWith(run) {
      const schema = openSchema();
      try {
        return await schema.transaction().execute(run);
      } finally {
        await schema.destroy();
      }
    },
    async close() {
      await flushing;
      await lastAnswers;
      // After a failed sync SQLite's own checkpoint at closing would build on what may be lost: the file stays as it
      // is for the next start.
      if (!log.isSound()) return;
      log.close();
      prepared.clear();
      connection.close();
    },
  };
}

/**
 * The first row of a question. `node:sqlite` looks up the name of every column for each object that it makes; taken as
 * a list and named here, a row of twelve columns costs 1.6 µs instead of 3.1.
 */
function createRowFinder(connection: DatabaseSync) {
  const prepared = new Map<string, { statement: StatementSync; names: readonly string[] }>();
  return (text: string, values: readonly SQLInputValue[]): object | undefined => {
    let known = prepared.get(text);
    if (known === undefined) {
      const statement = connection.prepare(text);
      statement.setReturnArrays(true);
      known = { statement, names: statement.columns().map(({ name }) => name) };
      prepared.set(text, known);
    }
    const { statement, names } = known;
    const found = statement.get(...values) as unknown as SQLOutputValue[] | undefined;
    if (found === undefined) return undefined;
    const row: Record<string, SQLOutputValue | undefined> = {};
    for (let index = 0; index < names.length; index++) row[names[index] as string] = found[index];
    return row;
  };
}

function openConnection(path: string, timeout: number): DatabaseSync {
  try {
    const connection = new DatabaseSync(path, { timeout });
    connection.exec('pragma journal_mode = wal');
    // NORMAL alone may lose the last commits at a power cut, and a used token would live again.
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

/** Leaves it to us when the log goes to the disk: inside COMMIT the event loop would wait for it (decision 13). */
function openOwnLog(connection: DatabaseSync, path: string, openLog: OpenWriteAheadLog): WriteAheadLog {
  try {
    connection.exec('pragma synchronous = normal');
    // The first question opens the log; from then on this connection keeps others from deleting it.
    connection.exec('select count(*) from sqlite_schema');
    return openLog(connection.location() ?? path);
  } catch (error) {
    throw new DatabaseUnavailable(`the SQLite file ${path} has no write-ahead log`, { cause: error });
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
