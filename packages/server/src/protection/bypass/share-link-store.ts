import { exactly, type Bound, type Database, type Expected } from '#database';
import type { ShareLink } from './bypass.ts';

type ShareLinkRow = {
  host: string;
  id: string;
  projectId: string;
  secretHash: string;
  expiresAt: number | null;
  createdAt: number;
  createdBy: string;
};
type Tables = { shareLinks: ShareLinkRow };

export type ShareLinkStore = ReturnType<typeof createShareLinkStore>;

export function createShareLinkStore(database: Database) {
  const query = database.queries<Tables>();

  const live = () =>
    query
      .selectFrom('shareLinks')
      .selectAll()
      .where((row) => row.or([row('expiresAt', 'is', null), row('expiresAt', '>', database.now)]));
  const selectLiveBySecret = database.statement<{ host: string; secretHash: string }>()((value) =>
    live().where('host', '=', value('host')).where('secretHash', '=', value('secretHash')),
  );
  const selectLiveById = database.statement<{ host: string; id: string }>()((value) =>
    live().where('host', '=', value('host')).where('id', '=', value('id')),
  );
  const selectOfHost = database.statement<{ host: string }>()((value) =>
    query.selectFrom('shareLinks').selectAll().where('host', '=', value('host')),
  );
  const replaceRow = database.statement<ShareLinkRow>()((value) =>
    query
      .insertInto('shareLinks')
      .values({
        host: value('host'),
        id: value('id'),
        projectId: value('projectId'),
        secretHash: value('secretHash'),
        expiresAt: value('expiresAt'),
        createdAt: value('createdAt'),
        createdBy: value('createdBy'),
      })
      .onConflict((conflict) =>
        conflict.column('host').doUpdateSet((row) => ({
          id: row.ref('excluded.id'),
          projectId: row.ref('excluded.projectId'),
          secretHash: row.ref('excluded.secretHash'),
          expiresAt: row.ref('excluded.expiresAt'),
          createdAt: row.ref('excluded.createdAt'),
          createdBy: row.ref('excluded.createdBy'),
        })),
      ),
  );
  const deleteRow = database.statement<{ host: string; id: string }>()((value) =>
    query.deleteFrom('shareLinks').where('host', '=', value('host')).where('id', '=', value('id')),
  );
  const deleteOfProject = database.statement<{ projectId: string }>()((value) =>
    query.deleteFrom('shareLinks').where('projectId', '=', value('projectId')),
  );

  const one = async (
    statement: Bound<ShareLinkRow>,
  ): Promise<(ShareLink & { secretHash: string }) | undefined> => {
    const row = await database.find(statement);
    return row && { ...row, expiresAt: row.expiresAt ?? undefined };
  };

  return {
    findLiveBySecret: (host: string, secretHash: string) => one(selectLiveBySecret({ host, secretHash })),
    findLive: (host: string, id: string) => one(selectLiveById({ host, id })),
    /** Whether or not it has expired. A domain may have been another project's, and that link is not this one's. */
    findOfHost: async ({ host, projectId }: { host: string; projectId: string }) => {
      const link = await one(selectOfHost({ host }));
      return link?.projectId === projectId ? link : undefined;
    },
    /** In the place of the one that the host had. */
    replace: (link: ShareLink, secretHash: string): Expected =>
      exactly(1, replaceRow({ ...link, secretHash, expiresAt: link.expiresAt ?? null })),
    delete: (host: string, id: string): Expected => exactly(1, deleteRow({ host, id })),
    deleteOfProject: (projectId: string): Bound<unknown> => deleteOfProject({ projectId }),
  };
}
