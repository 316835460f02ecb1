import { sql } from 'kysely';
import { exactly, type Bound, type Database, type Expected } from '#database';
import type { App } from './app.ts';
import { appOf, rowOf, type AppRow } from './app-row.ts';

type RegistrationTables = {
  apps: AppRow;
  appSecrets: { appId: string; expiresAt: number | null };
  appLogos: { appId: string };
  appRegistrations: { appId: string; tokenHash: string };
};

export type AppRegistrationStore = ReturnType<typeof createAppRegistrationStore>;

/** Apps that no team registered. */
export function createAppRegistrationStore(database: Database) {
  const query = database.queries<RegistrationTables>();
  const isLive = sql<boolean>`("apps"."expiresAt" is null or "apps"."expiresAt" > ${database.now})`;

  // One statement counts and judges; whoever inserts at the same time has to be ordered by a lock before it.
  const insertWithin = database.statement<AppRow & { most: number }>()((value) =>
    query
      .insertInto('apps')
      .columns([
        'id',
        'teamId',
        'name',
        'nameKey',
        'slug',
        'settings',
        'registration',
        'expiresAt',
        'firstParty',
        'createdAt',
        'updatedAt',
      ])
      .expression(
        query
          .selectNoFrom([
            sql<string>`cast(${value('id')} as text)`.as('id'),
            sql<string>`cast(${value('teamId')} as text)`.as('teamId'),
            sql<string>`cast(${value('name')} as text)`.as('name'),
            sql<string>`cast(${value('nameKey')} as text)`.as('nameKey'),
            sql<string>`cast(${value('slug')} as text)`.as('slug'),
            sql<string>`cast(${value('settings')} as text)`.as('settings'),
            sql<AppRow['registration']>`cast(${value('registration')} as text)`.as('registration'),
            sql<number | null>`cast(${value('expiresAt')} as bigint)`.as('expiresAt'),
            sql<number>`cast(${value('firstParty')} as integer)`.as('firstParty'),
            sql<number>`cast(${value('createdAt')} as bigint)`.as('createdAt'),
            sql<number>`cast(${value('updatedAt')} as bigint)`.as('updatedAt'),
          ])
          .where(
            (count) =>
              count
                .selectFrom('apps')
                .select((all) => all.fn.countAll<number>().as('live'))
                .where('registration', '=', 'dynamic')
                .where(isLive),
            '<',
            value('most'),
          ),
      ),
  );
  const putApp = database.statement<AppRow>()((value) =>
    query
      .insertInto('apps')
      .values({
        id: value('id'),
        teamId: value('teamId'),
        name: value('name'),
        nameKey: value('nameKey'),
        slug: value('slug'),
        settings: value('settings'),
        registration: value('registration'),
        expiresAt: value('expiresAt'),
        firstParty: value('firstParty'),
        createdAt: value('createdAt'),
        updatedAt: value('updatedAt'),
      })
      .onConflict((conflict) =>
        conflict
          .column('id')
          .doUpdateSet({
            settings: value('settings'),
            expiresAt: value('expiresAt'),
            updatedAt: value('updatedAt'),
          })
          .where('apps.registration', '=', 'metadata-document'),
      ),
  );
  const insertToken = database.statement<RegistrationTables['appRegistrations']>()((value) =>
    query.insertInto('appRegistrations').values({ appId: value('appId'), tokenHash: value('tokenHash') }),
  );
  const findWithToken = database.statement<{ id: string }>()((value) =>
    query
      .selectFrom('appRegistrations')
      .innerJoin('apps', 'apps.id', 'appRegistrations.appId')
      .selectAll('apps')
      .select('appRegistrations.tokenHash')
      .where('appRegistrations.appId', '=', value('id'))
      .where(isLive),
  );
  const deleteToken = database.statement<{ appId: string }>()((value) =>
    query.deleteFrom('appRegistrations').where('appId', '=', value('appId')),
  );
  const extendSecrets = database.statement<{ appId: string; expiresAt: number }>()((value) =>
    query
      .updateTable('appSecrets')
      .set({ expiresAt: value('expiresAt') })
      .where('appId', '=', value('appId')),
  );
  const deleteSecrets = database.statement<{ appId: string }>()((value) =>
    query.deleteFrom('appSecrets').where('appId', '=', value('appId')),
  );
  const deleteExpired = database.statement<Record<never, never>>()(() =>
    query.deleteFrom('apps').where('expiresAt', '<=', database.now),
  );
  const deleteOrphansOf = (table: 'appRegistrations' | 'appSecrets' | 'appLogos') =>
    database.statement<Record<never, never>>()(() =>
      query.deleteFrom(table).where('appId', 'not in', query.selectFrom('apps').select('apps.id')),
    );
  const orphans = (['appRegistrations', 'appSecrets', 'appLogos'] as const).map(deleteOrphansOf);

  return {
    /** Refused when `most` clients have registered themselves already. */
    insertWithin: (app: App, most: number): Expected => exactly(1, insertWithin({ ...rowOf(app), most })),
    /** Writes down what a metadata document says; the last one read counts. */
    put: (app: App): Expected => exactly(1, putApp(rowOf(app))),
    insertToken: (appId: string, tokenHash: string): Bound<unknown> => insertToken({ appId, tokenHash }),
    async findWithToken(id: string): Promise<{ app: App; tokenHash: string } | undefined> {
      const row = await database.find(findWithToken({ id }));
      if (row === undefined) return undefined;
      const { tokenHash, ...appRow } = row;
      return { app: appOf(appRow), tokenHash };
    },
    deleteToken: (appId: string): Bound<unknown> => deleteToken({ appId }),
    extendSecrets: (appId: string, expiresAt: number): Bound<unknown> => extendSecrets({ appId, expiresAt }),
    deleteSecrets: (appId: string): Bound<unknown> => deleteSecrets({ appId }),
    /** Registrations that have ended, with what belongs to them. */
    deleteExpired: (): Bound<unknown>[] => [
      deleteExpired({}),
      ...orphans.map((deleteOrphans) => deleteOrphans({})),
    ],
  };
}
