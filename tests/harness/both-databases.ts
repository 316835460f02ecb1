import { afterEach, describe } from 'vitest';
import type { Clock } from '../../packages/server/src/clock/index.ts';
import { createShiftedClock } from '../../packages/server/src/clock/index.ts';
import { migrate, openDatabase } from '../../packages/server/src/database/index.ts';
import type { Database, Migration } from '../../packages/server/src/database/index.ts';
import { addressOf, createTestDatabase, databaseKinds, type DatabaseKind } from './test-databases.ts';

/** Opens an empty database, brought to the given form. It is closed and deleted after the test by itself. */
export type OpenDatabase = (migrations: readonly Migration[], clock?: Clock) => Promise<Database>;

/**
 * The same tests of a store on SQLite and on PostgreSQL.
 *
 * ```ts
 * describeOnBothDatabases('apps', (openDatabase) => {
 *   test('keeps an app', async () => {
 *     const database = await openDatabase(appMigrations);
 *   });
 * });
 * ```
 */
export function describeOnBothDatabases(
  name: string,
  body: (openDatabase: OpenDatabase, kind: DatabaseKind) => void,
): void {
  describe.each(databaseKinds)(`${name} on %s`, (kind) => {
    const opened: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const close of opened.splice(0)) await close();
    });
    body(async (migrations, clock = createShiftedClock()) => {
      const place = await createTestDatabase(kind);
      opened.push(() => place.remove());
      const database = openDatabase(addressOf(place), clock);
      opened.unshift(() => database.close());
      await migrate(database, migrations);
      return database;
    }, kind);
  });
}
