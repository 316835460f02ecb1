import type { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import type { Database } from './database.ts';
import { DatabaseUnavailable } from '#errors';

/**
 * One step of the one numbered series over all rooms; steps run in the order of their names.
 * The builder has no table types: a migration describes the tables as they were then, not as they are now.
 */
export type Migration = { readonly name: string; up(schema: Kysely<unknown>): Promise<void> };

/** Brings the database to the newest form. Several processes may start at once: one does it, the others wait. */
export async function migrate(database: Database, migrations: readonly Migration[]): Promise<void> {
  const byName = Object.fromEntries(
    migrations.map(({ name, up }) => [name, { up: (schema: Kysely<unknown>) => up(schema) }]),
  );
  if (Object.keys(byName).length !== migrations.length) throw new Error('two migrations have the same name');
  const error = await database.migrateWith(async (schema) => {
    const migrator = new Migrator({
      db: schema,
      provider: { getMigrations: async () => byName },
      migrationTableName: 'migrations',
      migrationLockTableName: 'migrationLock',
    });
    return (await migrator.migrateToLatest()).error;
  });
  if (error === undefined) return;
  if (error instanceof Error && 'code' in error && /^(ECONN|57P|08)/.test(String(error.code))) {
    throw new DatabaseUnavailable('the database does not answer', { cause: error });
  }
  throw new Error('a migration failed; nothing of it was kept', { cause: error });
}
