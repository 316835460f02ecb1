import type { Bound, Database } from '#database';
import type { AppLogo, LogoType } from './app-logo.ts';

type LogoTables = { appLogos: { appId: string; name: string; type: LogoType; content: string } };

export type AppLogoStore = ReturnType<typeof createAppLogoStore>;

/** Logos, as base64: both databases read a text alike. */
export function createAppLogoStore(database: Database) {
  const query = database.queries<LogoTables>();

  const put = database.statement<LogoTables['appLogos']>()((value) =>
    query
      .insertInto('appLogos')
      .values({
        appId: value('appId'),
        name: value('name'),
        type: value('type'),
        content: value('content'),
      })
      .onConflict((conflict) =>
        conflict
          .column('appId')
          .doUpdateSet({ name: value('name'), type: value('type'), content: value('content') }),
      ),
  );
  const deleteOfApp = database.statement<{ appId: string }>()((value) =>
    query.deleteFrom('appLogos').where('appId', '=', value('appId')),
  );
  const findByName = database.statement<{ name: string }>()((value) =>
    query.selectFrom('appLogos').select(['type', 'content']).where('name', '=', value('name')).limit(1),
  );

  return {
    put: (appId: string, { name, type, bytes }: AppLogo & { name: string }): Bound<unknown> =>
      put({ appId, name, type, content: Buffer.from(bytes).toString('base64') }),
    delete: (appId: string): Bound<unknown> => deleteOfApp({ appId }),
    async find(name: string): Promise<AppLogo | undefined> {
      const row = await database.find(findByName({ name }));
      return row && { type: row.type, bytes: Buffer.from(row.content, 'base64') };
    },
  };
}
