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
  if (database.dialect === 'postgres' && error instanceof Error && isUnreachable(error)) {
    throw new DatabaseUnavailable('the database does not answer', { cause: error });
  }
  const said = error instanceof Error ? error.message : '';
  const unknownStep = /previously executed migration (\S+) is missing/.exec(said)?.[1];
  if (unknownStep !== undefined) {
    throw new Error(
      `the database is of a newer release than this one (its step ${unknownStep} is not known here); start that release, or a newer one`,
    );
  }
  throw new Error('a migration failed; nothing of it was kept', { cause: error });
}

/** PostgreSQL refuses the connection (08), the login (28), the name of the database (3D), or all work (53, 57). */
function isUnreachable(error: Error): boolean {
  const code = 'code' in error ? String(error.code) : '';
  if ('severity' in error) return /^(?:08|28|3D|53|57)/.test(code);
  return code !== '' || /timeout|terminated/i.test(error.message);
}
