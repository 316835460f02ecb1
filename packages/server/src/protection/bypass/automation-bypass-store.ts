import { exactly, type Bound, type Database, type Expected } from '#database';
import type { AutomationBypass } from './bypass.ts';

type AutomationBypassRow = {
  id: string;
  projectId: string;
  secretHash: string;
  note: string | null;
  isEnvVar: number;
  environments: string | null;
  pathPrefix: string | null;
  expiresAt: number | null;
  lastUsedAt: number | null;
  createdAt: number;
  createdBy: string;
  revision: number;
};
type Tables = { automationBypasses: AutomationBypassRow };

export type AutomationBypassStore = ReturnType<typeof createAutomationBypassStore>;

export function createAutomationBypassStore(database: Database) {
  const query = database.queries<Tables>();

  const live = () =>
    query
      .selectFrom('automationBypasses')
      .selectAll()
      .where((row) => row.or([row('expiresAt', 'is', null), row('expiresAt', '>', database.now)]));
  const selectLiveBySecret = database.statement<{ projectId: string; secretHash: string }>()((value) =>
    live().where('projectId', '=', value('projectId')).where('secretHash', '=', value('secretHash')),
  );
  const selectLiveById = database.statement<{ id: string }>()((value) =>
    live().where('id', '=', value('id')),
  );
  const selectById = database.statement<{ projectId: string; id: string }>()((value) =>
    query
      .selectFrom('automationBypasses')
      .selectAll()
      .where('id', '=', value('id'))
      .where('projectId', '=', value('projectId')),
  );
  const selectBySecret = database.statement<{ projectId: string; secretHash: string }>()((value) =>
    query
      .selectFrom('automationBypasses')
      .selectAll()
      .where('projectId', '=', value('projectId'))
      .where('secretHash', '=', value('secretHash')),
  );
  const selectOfProject = database.statement<{ projectId: string }>()((value) =>
    query
      .selectFrom('automationBypasses')
      .selectAll()
      .where('projectId', '=', value('projectId'))
      .orderBy('createdAt')
      .orderBy('id'),
  );
  const insertRow = database.statement<AutomationBypassRow>()((value) =>
    query
      .insertInto('automationBypasses')
      .values({
        id: value('id'),
        projectId: value('projectId'),
        secretHash: value('secretHash'),
        note: value('note'),
        isEnvVar: value('isEnvVar'),
        environments: value('environments'),
        pathPrefix: value('pathPrefix'),
        expiresAt: value('expiresAt'),
        lastUsedAt: value('lastUsedAt'),
        createdAt: value('createdAt'),
        createdBy: value('createdBy'),
        revision: value('revision'),
      })
      .onConflict((conflict) => conflict.doNothing()),
  );
  const keepWithin = database.statement<{ id: string; projectId: string; most: number }>()((value) =>
    query
      .updateTable('automationBypasses')
      .set((row) => ({ revision: row.ref('revision') }))
      .where('id', '=', value('id'))
      .where(
        (count) =>
          count
            .selectFrom('automationBypasses as all')
            .select((all) => all.fn.countAll<number>().as('all'))
            .where('all.projectId', '=', value('projectId')),
        '<=',
        value('most'),
      ),
  );
  const updateRow = database.statement<
    Pick<
      AutomationBypassRow,
      'id' | 'projectId' | 'note' | 'isEnvVar' | 'environments' | 'pathPrefix' | 'expiresAt' | 'revision'
    >
  >()((value) =>
    query
      .updateTable('automationBypasses')
      .set((row) => ({
        note: value('note'),
        isEnvVar: value('isEnvVar'),
        environments: value('environments'),
        pathPrefix: value('pathPrefix'),
        expiresAt: value('expiresAt'),
        revision: row('revision', '+', 1),
      }))
      .where('id', '=', value('id'))
      .where('projectId', '=', value('projectId'))
      .where('revision', '=', value('revision')),
  );
  const clearMark = database.statement<{ projectId: string; id: string }>()((value) =>
    query
      .updateTable('automationBypasses')
      .set({ isEnvVar: 0 })
      .where('projectId', '=', value('projectId'))
      .where('id', '!=', value('id')),
  );
  const clearSecondMark = database.statement<{ projectId: string; id: string }>()((value) =>
    query
      .updateTable('automationBypasses')
      .set({ isEnvVar: 0 })
      .where('id', '=', value('id'))
      .where((row) =>
        row.exists(
          query
            .selectFrom('automationBypasses as others')
            .select('others.id')
            .where('others.projectId', '=', value('projectId'))
            .where('others.id', '!=', value('id'))
            .where('others.isEnvVar', '=', 1),
        ),
      ),
  );
  const touchRow = database.statement<{ id: string }>()((value) =>
    query.updateTable('automationBypasses').set({ lastUsedAt: database.now }).where('id', '=', value('id')),
  );
  const deleteRow = database.statement<{ projectId: string; id: string }>()((value) =>
    query
      .deleteFrom('automationBypasses')
      .where('id', '=', value('id'))
      .where('projectId', '=', value('projectId')),
  );
  const deleteOfProject = database.statement<{ projectId: string }>()((value) =>
    query.deleteFrom('automationBypasses').where('projectId', '=', value('projectId')),
  );

  const one = async (statement: Bound<AutomationBypassRow>): Promise<AutomationBypass | undefined> => {
    const row = await database.find(statement);
    return row && bypassOf(row);
  };

  return {
    /** What a secret passes as now, by the database's clock. */
    findLiveBySecret: (projectId: string, secretHash: string) =>
      one(selectLiveBySecret({ projectId, secretHash })),
    findLive: (id: string) => one(selectLiveById({ id })),
    /** Whether or not it has expired. */
    find: (projectId: string, id: string) => one(selectById({ projectId, id })),
    findBySecret: (projectId: string, secretHash: string) => one(selectBySecret({ projectId, secretHash })),
    /** The oldest first. */
    async list(projectId: string): Promise<AutomationBypass[]> {
      return (await database.list(selectOfProject({ projectId }))).map(bypassOf);
    },
    /** No row when the project has this secret already. */
    insert: (bypass: AutomationBypass, secretHash: string): Expected =>
      exactly(1, insertRow({ ...rowOf(bypass), secretHash })),
    /** No row when the project has more than `most` with this new one. The project is held before. */
    keepWithin: ({ id, projectId }: AutomationBypass, most: number): Expected =>
      exactly(1, keepWithin({ id, projectId, most })),
    /** No row when it has changed since it was read. */
    update: (bypass: AutomationBypass): Expected => exactly(1, updateRow(rowOf(bypass))),
    /** Takes the mark from all others of the project. */
    unmarkOthers: ({ projectId, id }: AutomationBypass): Bound<unknown> => clearMark({ projectId, id }),
    /** Takes the mark from this one where another has it. The project is held before. */
    unmarkSecond: ({ projectId, id }: AutomationBypass): Bound<unknown> => clearSecondMark({ projectId, id }),
    touch: (id: string): Bound<unknown> => touchRow({ id }),
    delete: (projectId: string, id: string): Expected => exactly(1, deleteRow({ projectId, id })),
    deleteOfProject: (projectId: string): Bound<unknown> => deleteOfProject({ projectId }),
  };
}

function rowOf(bypass: AutomationBypass): Omit<AutomationBypassRow, 'secretHash'> {
  const { note, environments, pathPrefix, expiresAt, lastUsedAt } = bypass;
  return {
    ...bypass,
    note: note ?? null,
    isEnvVar: bypass.isEnvVar ? 1 : 0,
    environments: environments === undefined ? null : JSON.stringify(environments),
    pathPrefix: pathPrefix ?? null,
    expiresAt: expiresAt ?? null,
    lastUsedAt: lastUsedAt ?? null,
  };
}

/** Without the hash, which is for looking up alone. */
function bypassOf(row: AutomationBypassRow): AutomationBypass {
  const { id, projectId, createdAt, createdBy, revision } = row;
  return {
    id,
    projectId,
    createdAt,
    createdBy,
    revision,
    note: row.note ?? undefined,
    isEnvVar: row.isEnvVar === 1,
    environments: row.environments === null ? undefined : (JSON.parse(row.environments) as string[]),
    pathPrefix: row.pathPrefix ?? undefined,
    expiresAt: row.expiresAt ?? undefined,
    lastUsedAt: row.lastUsedAt ?? undefined,
  };
}
