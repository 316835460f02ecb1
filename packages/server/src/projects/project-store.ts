import type { Database, Expected } from '#database';
import { exactly } from '#database';
import { defaultOidcTokenConfig, ownEnvironments, standardEnvironments, type Project } from './project.ts';

type ProjectRow = {
  id: string;
  teamId: string;
  name: string;
  ownEnvironments: string;
  passport: string | null;
  protection: string | null;
  oidcTokenConfig: string;
  revision: number;
  createdAt: number;
  updatedAt: number;
};
type ProjectTables = {
  projects: ProjectRow & { passwordHash: string | null };
  projectNames: { teamId: string; name: string; projectId: string; createdAt: number };
  projectEnvironments: { projectId: string; name: string; createdAt: number };
};

/** A project with the number of its changes: an update is refused when somebody else was faster. */
export type StoredProject = Project & { revision: number };

export type ProjectPage = {
  passport?: 'enabled' | 'disabled' | undefined;
  after?: { createdAt: number; id: string } | undefined;
  limit: number;
};

const columns = [
  'id',
  'teamId',
  'name',
  'ownEnvironments',
  'passport',
  'protection',
  'oidcTokenConfig',
  'revision',
  'createdAt',
  'updatedAt',
] as const;

export function createProjectStore(database: Database) {
  const query = database.queries<ProjectTables>();

  const selectById = database.statement<{ teamId: string; id: string }>()((value) =>
    query
      .selectFrom('projects')
      .selectAll()
      .where('id', '=', value('id'))
      .where('teamId', '=', value('teamId')),
  );
  const selectByName = database.statement<{ teamId: string; name: string }>()((value) =>
    query
      .selectFrom('projects')
      .selectAll()
      .where('teamId', '=', value('teamId'))
      .where('name', '=', value('name')),
  );
  const listStatement = (passport: 'enabled' | 'disabled' | undefined) =>
    database.statement<{ teamId: string; at: number; id: string; limit: number }>()((value) => {
      const all = query
        .selectFrom('projects')
        .selectAll()
        .where('teamId', '=', value('teamId'))
        .where((row) =>
          row.or([
            row('createdAt', '>', value('at')),
            row.and([row('createdAt', '=', value('at')), row('id', '>', value('id'))]),
          ]),
        )
        .orderBy('createdAt')
        .orderBy('id')
        .limit(value('limit'));
      if (passport === undefined) return all;
      return all.where('passport', passport === 'enabled' ? 'is not' : 'is', null);
    });
  const selectPage = {
    all: listStatement(undefined),
    enabled: listStatement('enabled'),
    disabled: listStatement('disabled'),
  };
  const insertProject = database.statement<ProjectRow>()((value) =>
    query
      .insertInto('projects')
      .values({
        id: value('id'),
        teamId: value('teamId'),
        name: value('name'),
        ownEnvironments: value('ownEnvironments'),
        passport: value('passport'),
        protection: value('protection'),
        oidcTokenConfig: value('oidcTokenConfig'),
        revision: value('revision'),
        createdAt: value('createdAt'),
        updatedAt: value('updatedAt'),
      })
      .onConflict((conflict) => conflict.doNothing()),
  );
  const updateProject = database.statement<Omit<ProjectRow, 'createdAt'>>()((value) =>
    query
      .updateTable('projects')
      .set((row) => ({
        name: value('name'),
        ownEnvironments: value('ownEnvironments'),
        passport: value('passport'),
        protection: value('protection'),
        oidcTokenConfig: value('oidcTokenConfig'),
        updatedAt: value('updatedAt'),
        revision: row('revision', '+', 1),
      }))
      .where('id', '=', value('id'))
      .where('teamId', '=', value('teamId'))
      .where('revision', '=', value('revision')),
  );
  const lockProject = database.statement<{ id: string }>()((value) =>
    query
      .updateTable('projects')
      .set((row) => ({ name: row.ref('name') }))
      .where('id', '=', value('id')),
  );
  const deleteProject = database.statement<{ teamId: string; id: string }>()((value) =>
    query.deleteFrom('projects').where('id', '=', value('id')).where('teamId', '=', value('teamId')),
  );
  const updatePasswordHash = database.statement<{ teamId: string; id: string; hash: string | null }>()(
    (value) =>
      query
        .updateTable('projects')
        .set({ passwordHash: value('hash') })
        .where('id', '=', value('id'))
        .where('teamId', '=', value('teamId')),
  );
  const selectPasswordHash = database.statement<{ teamId: string; id: string }>()((value) =>
    query
      .selectFrom('projects')
      .select(['passwordHash', database.now.as('foundAt')])
      .where('id', '=', value('id'))
      .where('teamId', '=', value('teamId')),
  );
  const insertName = database.statement<ProjectTables['projectNames']>()((value) =>
    query
      .insertInto('projectNames')
      .values({
        teamId: value('teamId'),
        name: value('name'),
        projectId: value('projectId'),
        createdAt: value('createdAt'),
      })
      // A project may come back to a name that was its own; no other ever gets it.
      .onConflict((conflict) =>
        conflict
          .columns(['teamId', 'name'])
          .doUpdateSet((row) => ({ projectId: row.ref('excluded.projectId') }))
          .where((row) => row('projectNames.projectId', '=', row.ref('excluded.projectId'))),
      ),
  );
  const insertEnvironment = database.statement<ProjectTables['projectEnvironments']>()((value) =>
    query
      .insertInto('projectEnvironments')
      .values({ projectId: value('projectId'), name: value('name'), createdAt: value('createdAt') })
      .onConflict((conflict) => conflict.doNothing()),
  );

  const selectName = database.statement<{ teamId: string; name: string }>()((value) =>
    query
      .selectFrom('projectNames')
      .select('projectId')
      .where('teamId', '=', value('teamId'))
      .where('name', '=', value('name')),
  );
  const selectEnvironment = database.statement<{ projectId: string; name: string }>()((value) =>
    query
      .selectFrom('projectEnvironments')
      .select('name')
      .where('projectId', '=', value('projectId'))
      .where('name', '=', value('name')),
  );

  return {
    async find(teamId: string, id: string): Promise<StoredProject | undefined> {
      const row = await database.find(selectById({ teamId, id }));
      return row && projectOf(row);
    },
    async findByName(teamId: string, name: string): Promise<StoredProject | undefined> {
      const row = await database.find(selectByName({ teamId, name }));
      return row && projectOf(row);
    },
    /** The project that a name belongs to, or once belonged to. */
    async findNameOwner(teamId: string, name: string): Promise<string | undefined> {
      return (await database.find(selectName({ teamId, name })))?.projectId;
    },
    /** Whether the project has, or had, an environment of its own of this name. */
    async hadEnvironment(projectId: string, name: string): Promise<boolean> {
      return (await database.find(selectEnvironment({ projectId, name }))) !== undefined;
    },
    /** The oldest first. */
    async list(teamId: string, { passport, after, limit }: ProjectPage): Promise<StoredProject[]> {
      const rows = await database.list(
        selectPage[passport ?? 'all']({ teamId, at: after?.createdAt ?? -1, id: after?.id ?? '', limit }),
      );
      return rows.map(projectOf);
    },
    insert: (project: Project): Expected => exactly(1, insertProject({ ...rowOf(project), revision: 1 })),
    /** No row when the project has changed since it was read. */
    update: ({ revision, ...project }: StoredProject): Expected =>
      exactly(1, updateProject({ ...rowOf(project), revision })),
    /** Whoever counts what a project has waits here for whoever else does. No row for one that is not there. */
    hold: (id: string): Expected => exactly(1, lockProject({ id })),
    delete: (teamId: string, id: string): Expected => exactly(1, deleteProject({ teamId, id })),
    /** Undefined takes the hash away. */
    setPasswordHash: ({ id, teamId }: Pick<Project, 'id' | 'teamId'>, hash: string | undefined): Expected =>
      exactly(1, updatePasswordHash({ id, teamId, hash: hash ?? null })),
    /** The hash, and when it was looked up by the database's clock; undefined for no such project. */
    async findPassword(
      teamId: string,
      id: string,
    ): Promise<{ hash: string | undefined; foundAt: number } | undefined> {
      const row = await database.find(selectPasswordHash({ teamId, id }));
      return row && { hash: row.passwordHash ?? undefined, foundAt: row.foundAt };
    },
    /** One row unless another project of the team has, or had, the name. */
    claimName: (project: Pick<Project, 'id' | 'teamId' | 'name'>, createdAt: number): Expected =>
      exactly(
        1,
        insertName({ teamId: project.teamId, name: project.name, projectId: project.id, createdAt }),
      ),
    /** One row unless the project has, or had, an environment of the name. */
    claimEnvironment: (projectId: string, name: string, createdAt: number): Expected =>
      exactly(1, insertEnvironment({ projectId, name, createdAt })),
  };
}

/** Where a project names its connector, for the statement that deletes connectors. */
export const projectConnectorUse = { table: 'projects', column: 'passport', teamColumn: 'teamId' };

/** What another room's one statement may read of a project beside its own rows; the row's meaning stays here. */
export const projectJoin = {
  table: 'projects',
  kind: 'projects',
  revision: 'revision',
  columns,
  read: (row: Record<string, unknown>): Project => projectOf(row as ProjectRow),
};

function rowOf(project: Project): Omit<ProjectRow, 'revision'> {
  return {
    id: project.id,
    teamId: project.teamId,
    name: project.name,
    ownEnvironments: JSON.stringify(ownEnvironments(project.environments)),
    passport: project.passport === undefined ? null : JSON.stringify(project.passport),
    protection: textOf(project.protection),
    oidcTokenConfig: JSON.stringify(project.oidcTokenConfig),
    createdAt: project.createdAt,
    updatedAt: project.updatedAt,
  };
}

function projectOf(row: ProjectRow): StoredProject {
  return {
    id: row.id,
    teamId: row.teamId,
    name: row.name,
    environments: [...standardEnvironments, ...(JSON.parse(row.ownEnvironments) as string[])],
    passport: row.passport === null ? undefined : passportOf(row.passport),
    protection: row.protection === null ? {} : (JSON.parse(row.protection) as Project['protection']),
    // A setting that is younger than the row has its default.
    oidcTokenConfig: {
      ...defaultOidcTokenConfig,
      ...(JSON.parse(row.oidcTokenConfig) as Partial<Project['oidcTokenConfig']>),
    },
    revision: row.revision,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}

function textOf(protection: Project['protection']): string | null {
  const text = JSON.stringify(protection);
  return text === '{}' ? null : text;
}

/** Settings of before there was an idle time have none. */
function passportOf(json: string): NonNullable<Project['passport']> {
  type Stored = NonNullable<Project['passport']>;
  const stored = JSON.parse(json) as Omit<Stored, 'sessionIdleSeconds'> & Partial<Stored>;
  return { ...stored, sessionIdleSeconds: stored.sessionIdleSeconds ?? null };
}
