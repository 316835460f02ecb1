import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { Kysely, PostgresDialect, sql } from 'kysely';
import type * as Pg from 'pg';
import type { DatabaseError, Pool, PoolClient } from 'pg';
import type { Clock } from '#clock';
import { DatabaseUnavailable, publicError } from '#errors';
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
import { createTurns } from './turns.ts';

const connectTimeoutMilliseconds = 1_500;
const answerTimeoutMilliseconds = 5_000;
const connections = 10;
/** Fewer than there are connections: writes that wait for one row's lock must not keep the reads waiting. */
const writesAtOnce = 8;
const attempts = 5;

/** Opens a pool. Nothing is connected yet: a database that is down shows at the first question. */
export function openPostgres(connectionString: string, clock: Clock): Database {
  // Loaded here, not above: 25 ms of a start and 4 MiB that a process on SQLite has no use for.
  const pg = createRequire(import.meta.url)('pg') as typeof Pg;
  const pool = new pg.Pool({
    connectionString,
    max: connections,
    connectionTimeoutMillis: connectTimeoutMilliseconds,
    query_timeout: answerTimeoutMilliseconds,
    keepAlive: true,
    types: { getTypeParser: (id, format) => parserOf(pg.types, id, format) },
  });
  // An idle connection that breaks is replaced at the next question; unheard, it would end the process.
  pool.on('error', () => undefined);

  // PostgreSQL plans a named statement once a connection; a name may have 63 bytes.
  const names = new Map<string, string>();
  const nameOf = (text: string): string => {
    let name = names.get(text);
    if (name === undefined) {
      name = createHash('sha256').update(text).digest('base64url');
      names.set(text, name);
    }
    return name;
  };

  const ask = async <Row>(client: Pool | PoolClient, bound: Bound<Row>) => {
    const result = await client.query({
      name: nameOf(bound.text),
      text: bound.text,
      values: bound.values as unknown[],
    });
    return { rows: result.rows as Row[], changed: result.rowCount ?? 0 };
  };

  const runUnit = async (unit: Unit): Promise<Outcome> => {
    const client = await pool.connect();
    let broken = false;
    try {
      await client.query('begin');
      for (const [index, part] of unit.entries()) {
        const { changed } = await ask(client, isExpected(part) ? part.bound : part);
        if (isExpected(part) && changed !== part.rows) {
          await client.query('rollback');
          return { committed: false, refusedAt: index };
        }
      }
      await client.query('commit');
      return { committed: true };
    } catch (error) {
      // A connection that did not answer is thrown away, and the server rolls back by itself.
      broken = !isDatabaseError(error);
      if (!broken) await client.query('rollback').catch(() => (broken = true));
      throw error;
    } finally {
      client.release(broken);
    }
  };

  // The pool's own queue ends with the timeout of a connect, as if a busy database were a dead one.
  const turns = createTurns(writesAtOnce, answerTimeoutMilliseconds);
  const tryWrite = async (unit: Unit): Promise<Outcome> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await turns.run(() => runUnit(unit));
      } catch (error) {
        if (isConflict(error) && attempt < attempts) continue;
        throw asUnavailable(error);
      }
    }
  };

  const read = async <Row>(bound: Bound<Row>): Promise<Row[]> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await ask(pool, bound)).rows;
      } catch (error) {
        // The server was restarted under an idle connection: the first question finds out, the second gets through.
        if (isBrokenConnection(error) && attempt < 2) continue;
        throw asUnavailable(error);
      }
    }
  };

  const schema = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });

  return {
    dialect: 'postgres',
    now: postgresNow(clock),
    queries: <Tables>() => schema as Kysely<Tables>,
    statement: createStatement,
    find: async (bound) => (await read(bound))[0],
    list: read,
    tryWrite,
    async write(unit) {
      const outcome = await tryWrite(unit);
      if (!outcome.committed) throw new UnitRefused(outcome.refusedAt, textAt(unit, outcome.refusedAt));
    },
    isAnswering: () =>
      pool.query('select 1').then(
        () => true,
        () => false,
      ),
    migrateWith: (run) => run(schema),
    async close() {
      await schema.destroy();
    },
  };
}

/** The offset is bound at each call: a test may move its clock after the statement was compiled. */
function postgresNow(clock: Clock) {
  const offset = { toPostgres: () => clock.offset() };
  return sql<number>`(floor(extract(epoch from clock_timestamp()) * 1000)::bigint + ${offset}::bigint)`;
}

const int8 = 20;
const numeric = 1700;

/** `bigint` columns hold milliseconds and counts, well inside what a number carries exactly. */
function parserOf(types: typeof Pg.types, id: number, format?: 'text' | 'binary'): (value: never) => unknown {
  if (id === int8 || id === numeric) return (value: string) => Number(value);
  return types.getTypeParser(id, format) as (value: never) => unknown;
}

/** An answer of the server itself: nothing else has a severity. */
function isDatabaseError(error: unknown): error is DatabaseError {
  return error instanceof Error && 'severity' in error && 'code' in error;
}

function isConflict(error: unknown): boolean {
  return isDatabaseError(error) && (error.code === '40001' || error.code === '40P01');
}

// Classes of SQLSTATE: 08 connection, 53 resources, 57 operator intervention, 58 system, 25006 read-only.
function isServerTrouble(error: DatabaseError): boolean {
  return /^(08|53|57|58)|^25006$/.test(error.code ?? '');
}

function isBrokenConnection(error: unknown): boolean {
  if (isDatabaseError(error)) return /^(08|57P0)/.test(error.code ?? '');
  return error instanceof Error && /terminated|ECONNRESET|EPIPE|not queryable/i.test(error.message);
}

function asUnavailable(error: unknown): unknown {
  // 22021: a NUL in a text that no door has refused, such as a user name in an Authorization header.
  if (isDatabaseError(error) && error.code === '22021') {
    return publicError('bad_request', {
      description: 'A text in the request contains a NUL character.',
      cause: error,
    });
  }
  // Whatever is not an answer of the server itself is a failure to reach it.
  if (isDatabaseError(error) && !isServerTrouble(error)) return error;
  return new DatabaseUnavailable('PostgreSQL does not answer', { cause: error });
}
