import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import {
  CompiledQuery,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
  type DatabaseConnection,
  type SqliteDatabase,
  type SqliteDialectConfig,
} from 'kysely';

/** What Kysely's dialect asks of a SQLite library, answered by Node's own. Migrations alone go this way. */
export function adapt(connection: DatabaseSync): SqliteDatabase {
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
export class MigratingSqliteDialect extends SqliteDialect {
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
