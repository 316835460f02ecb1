import { sql } from 'kysely';
import { exactly, type Bound, type Database, type Expected } from '#database';
import { appNameKey, type App, type AppSecret } from './app.ts';
import { createAppReader, rowOf, type AppRow } from './app-row.ts';

type SecretRow = {
  id: string;
  appId: string;
  hash: string;
  sealed: string | null;
  last4: string;
  createdAt: number;
  expiresAt: number | null;
  lastUsedAt: number | null;
};
type AppTables = { apps: AppRow; appSecrets: SecretRow; appLogos: { appId: string } };
type WrittenFields = Omit<AppRow, 'id' | 'teamId' | 'registration' | 'createdAt'>;

/** A secret that may be presented now, with the hash it is compared with. */
export type LiveSecret = {
  id: string;
  hash: string;
  /** The secret itself, sealed, where `client_secret_jwt` needs it. */
  sealed?: string | undefined;
  lastUsedAt: number | undefined;
};

/** An app with the secrets that may be presented now. */
export type AppWithSecrets = { app: App; secrets: LiveSecret[] };

export type AppStore = ReturnType<typeof createAppStore>;

/** `clientIdDocuments`: whether the address of a metadata document is an id of an app. */
export function createAppStore(database: Database, clientIdDocuments: boolean) {
  const isClientId = (id: string): boolean => isAppId(id) || (clientIdDocuments && isDocumentAddress(id));
  const query = database.queries<AppTables>();
  const readApp = createAppReader();

  // A registration that has ended is nobody's any more.
  const isLive = sql<boolean>`("apps"."expiresAt" is null or "apps"."expiresAt" > ${database.now})`;

  const findById = database.statement<{ id: string }>()((value) =>
    query.selectFrom('apps').selectAll().where('id', '=', value('id')).where(isLive),
  );
  const findByNameOrSlug = database.statement<{ nameKey: string; slug: string }>()((value) =>
    query
      .selectFrom('apps')
      .select(['id', 'nameKey', 'slug'])
      .where((either) =>
        either.or([either('nameKey', '=', value('nameKey')), either('slug', '=', value('slug'))]),
      ),
  );
  const insertApp = database.statement<AppRow>()((value) =>
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
      .onConflict((conflict) => conflict.doNothing()),
  );
  const updateApp = database.statement<WrittenFields & { id: string; seenAt: number }>()((value) =>
    query
      .updateTable('apps')
      .set({
        name: value('name'),
        nameKey: value('nameKey'),
        slug: value('slug'),
        settings: value('settings'),
        expiresAt: value('expiresAt'),
        firstParty: value('firstParty'),
        updatedAt: value('updatedAt'),
      })
      .where('id', '=', value('id'))
      .where('updatedAt', '=', value('seenAt'))
      // A name taken in between is a lost race like any other, not an error of the database.
      .where((other) =>
        other.not(
          other.exists(
            query
              .selectFrom('apps as taken')
              .select('taken.id')
              .where('taken.id', '<>', value('id'))
              .where((either) =>
                either.or([
                  either('taken.nameKey', '=', value('nameKey')),
                  either('taken.slug', '=', value('slug')),
                ]),
              ),
          ),
        ),
      ),
  );
  const deleteApp = database.statement<{ id: string }>()((value) =>
    query.deleteFrom('apps').where('id', '=', value('id')),
  );
  const deleteLogoOfApp = database.statement<{ appId: string }>()((value) =>
    query.deleteFrom('appLogos').where('appId', '=', value('appId')),
  );
  const deleteSecretsOfApp = database.statement<{ appId: string }>()((value) =>
    query.deleteFrom('appSecrets').where('appId', '=', value('appId')),
  );
  const lockApp = database.statement<{ id: string }>()((value) =>
    query
      .updateTable('apps')
      .set({ firstParty: sql<number>`${sql.ref('firstParty')}` })
      .where('id', '=', value('id')),
  );
  const insertSecret = database.statement<SecretRow & { most: number }>()((value) =>
    query
      .insertInto('appSecrets')
      .columns(['id', 'appId', 'hash', 'sealed', 'last4', 'createdAt', 'expiresAt', 'lastUsedAt'])
      .expression(
        query
          .selectFrom('apps')
          .select([
            sql<string>`cast(${value('id')} as text)`.as('id'),
            'apps.id as appId',
            sql<string>`cast(${value('hash')} as text)`.as('hash'),
            sql<string | null>`cast(${value('sealed')} as text)`.as('sealed'),
            sql<string>`cast(${value('last4')} as text)`.as('last4'),
            sql<number>`cast(${value('createdAt')} as bigint)`.as('createdAt'),
            sql<number | null>`cast(${value('expiresAt')} as bigint)`.as('expiresAt'),
            sql<number | null>`cast(${value('lastUsedAt')} as bigint)`.as('lastUsedAt'),
          ])
          .where('apps.id', '=', value('appId'))
          .where(
            (count) =>
              count
                .selectFrom('appSecrets')
                .select((all) => all.fn.countAll<number>().as('active'))
                .where('appSecrets.appId', '=', value('appId'))
                .where((live) =>
                  live.or([live('expiresAt', 'is', null), live('expiresAt', '>', database.now)]),
                ),
            '<',
            value('most'),
          ),
      ),
  );
  const deleteSecret = database.statement<{ id: string; appId: string }>()((value) =>
    query.deleteFrom('appSecrets').where('id', '=', value('id')).where('appId', '=', value('appId')),
  );
  const listOfTeam = database.statement<{ teamId: string }>()((value) =>
    query.selectFrom('apps').selectAll().where('teamId', '=', value('teamId')).orderBy('id').limit(10_000),
  );
  const listSecrets = database.statement<{ appId: string }>()((value) =>
    query
      .selectFrom('appSecrets')
      .selectAll()
      .where('appId', '=', value('appId'))
      .orderBy('createdAt')
      .orderBy('id'),
  );
  // App and secrets in one question: every request of a client asks it.
  const findWithSecrets = database.statement<{ id: string }>()((value) =>
    query
      .selectFrom('apps')
      .leftJoin('appSecrets', (join) =>
        join
          .onRef('appSecrets.appId', '=', 'apps.id')
          .on((live) =>
            live.or([
              live('appSecrets.expiresAt', 'is', null),
              live('appSecrets.expiresAt', '>', database.now),
            ]),
          ),
      )
      .selectAll('apps')
      .select([
        'appSecrets.id as secretId',
        'appSecrets.hash as secretHash',
        'appSecrets.sealed as secretSealed',
        'appSecrets.lastUsedAt as secretUsedAt',
      ])
      .where('apps.id', '=', value('id'))
      .where(isLive),
  );
  const noteUse = database.statement<{ id: string; at: number }>()((value) =>
    query
      .updateTable('appSecrets')
      .set({ lastUsedAt: value('at') })
      .where('id', '=', value('id')),
  );

  return {
    async find(id: string): Promise<App | undefined> {
      // Ids come from the wire: a NUL among them is an error to PostgreSQL, not an id that is not there.
      if (!isClientId(id)) return undefined;
      const row = await database.find(findById({ id }));
      return row && readApp(row);
    },
    listOfTeam: async (teamId: string): Promise<App[]> =>
      (await database.list(listOfTeam({ teamId }))).map(readApp),
    /** Which of a name and a slug another app has. */
    async findTaken(app: App): Promise<'name' | 'slug' | undefined> {
      const nameKey = appNameKey(app);
      const rows = await database.list(findByNameOrSlug({ nameKey, slug: app.slug }));
      const others = rows.filter((row) => row.id !== app.id);
      if (others.some((row) => row.nameKey === nameKey)) return 'name';
      return others.length > 0 ? 'slug' : undefined;
    },
    insert: (app: App): Expected => exactly(1, insertApp(rowOf(app))),
    /** Refused when the app was changed since `seenAt`, or its name is taken. */
    update: (app: App, seenAt: number): Expected => exactly(1, updateApp({ ...rowOf(app), seenAt })),
    delete: (id: string): (Bound<unknown> | Expected)[] => [
      exactly(1, deleteApp({ id })),
      deleteSecretsOfApp({ appId: id }),
      deleteLogoOfApp({ appId: id }),
    ],
    /** The second statement is refused when `most` secrets are active. The first orders whoever adds at once. */
    insertSecret: (
      appId: string,
      secret: AppSecret & { hash: string; sealed: string | undefined },
      most: number,
    ): Expected[] => [
      exactly(1, lockApp({ id: appId })),
      exactly(
        1,
        insertSecret({
          id: secret.id,
          appId,
          hash: secret.hash,
          sealed: secret.sealed ?? null,
          last4: secret.last4,
          createdAt: secret.createdAt,
          expiresAt: secret.expiresAt ?? null,
          lastUsedAt: null,
          most,
        }),
      ),
    ],
    deleteSecret: (appId: string, id: string): Expected => exactly(1, deleteSecret({ id, appId })),
    async listSecrets(appId: string): Promise<AppSecret[]> {
      return (await database.list(listSecrets({ appId }))).map((row) => ({
        id: row.id,
        last4: row.last4,
        createdAt: row.createdAt,
        expiresAt: row.expiresAt ?? undefined,
        lastUsedAt: row.lastUsedAt ?? undefined,
      }));
    },
    async findWithSecrets(id: string): Promise<AppWithSecrets | undefined> {
      if (!isClientId(id)) return undefined;
      const rows = await database.list(findWithSecrets({ id }));
      const [first] = rows;
      if (first === undefined) return undefined;
      const secrets: LiveSecret[] = [];
      for (const { secretId, secretHash, secretSealed, secretUsedAt } of rows) {
        if (secretId === null || secretHash === null) continue;
        secrets.push({
          id: secretId,
          hash: secretHash,
          sealed: secretSealed ?? undefined,
          lastUsedAt: secretUsedAt ?? undefined,
        });
      }
      return { app: readApp(first), secrets };
    },
    noteUse: (id: string, at: number): Bound<unknown> => noteUse({ id, at }),
  };
}

/** Ours have 24 characters; the id of the command line is chosen by whoever published it. */
export function isAppId(id: string): boolean {
  return /^cl_[0-9A-Za-z]{24,64}$/.test(id);
}

/** Whether an id has the form of an address, as those of metadata documents have. */
export function isDocumentAddress(id: string): boolean {
  return /^https?:\/\/[\x21-\x7e]{1,1000}$/.test(id);
}
