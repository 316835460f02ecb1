import type { Compilable, Kysely, RawBuilder } from 'kysely';
import type { Bound, Outcome, Unit } from './statement.ts';

export type DatabaseAddress =
  | { readonly dialect: 'sqlite'; readonly path: string }
  | { readonly dialect: 'postgres'; readonly connectionString: string };

export type Database = {
  readonly dialect: 'sqlite' | 'postgres';
  /**
   * The database's own clock as an SQL expression, in milliseconds since the epoch. Stored expiry is compared with
   * this, so that nodes whose clocks differ agree. On SQLite it never runs backwards.
   */
  readonly now: RawBuilder<number>;
  /** A typed query builder over the caller's own tables. It builds and compiles; it runs nothing. */
  queries<Tables>(): Kysely<Tables>;
  /** Compiles a statement once; `value('name')` marks what each call binds. */
  statement<Values>(): <Row>(
    build: (value: <Name extends keyof Values>(name: Name) => RawBuilder<Values[Name]>) => Compilable<Row>,
  ) => (values: Values) => Bound<Row>;
  /** The first row, or undefined. Throws `DatabaseUnavailable`. */
  find<Row>(bound: Bound<Row>): Promise<Row | undefined>;
  /** Every row. Throws `DatabaseUnavailable`. */
  list<Row>(bound: Bound<Row>): Promise<Row[]>;
  /** Commits the unit, or throws `UnitRefused` (a row count differed) or `DatabaseUnavailable`. */
  write(unit: Unit): Promise<void>;
  /** Like `write`, for races that have a loser: a differing row count is an answer, not an error. */
  tryWrite(unit: Unit): Promise<Outcome>;
  /** Runs the migrations: inside one exclusive transaction on SQLite, under Kysely's own lock on PostgreSQL. */
  migrateWith<Result>(run: (schema: Kysely<unknown>) => Promise<Result>): Promise<Result>;
  /** Whether a question gets an answer now. */
  isAnswering(): Promise<boolean>;
  close(): Promise<void>;
};
