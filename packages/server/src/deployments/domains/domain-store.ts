import { exactly, type Bound, type Database, type Expected } from '#database';
import type { DomainHolder, ProjectDomain } from './domain.ts';

type DomainRow = Omit<ProjectDomain, 'verifiedAt'>;
type VerifiedRow = DomainHolder & { name: string; environment: string };
type Tables = {
  projectDomains: DomainRow;
  verifiedDomains: VerifiedRow;
};

export type DomainPage = {
  verified?: boolean | undefined;
  after?: { createdAt: number; id: string } | undefined;
  limit: number;
};

export type DomainStore = ReturnType<typeof createDomainStore>;

export function createDomainStore(database: Database) {
  const query = database.queries<Tables>();

  const domains = () =>
    query
      .selectFrom('projectDomains')
      .leftJoin('verifiedDomains', (join) =>
        join
          .onRef('verifiedDomains.name', '=', 'projectDomains.name')
          .onRef('verifiedDomains.projectId', '=', 'projectDomains.projectId'),
      )
      .selectAll('projectDomains')
      .select('verifiedDomains.verifiedAt');
  const selectOne = database.statement<{ teamId: string; name: string }>()((value) =>
    domains()
      .where('projectDomains.teamId', '=', value('teamId'))
      .where('projectDomains.name', '=', value('name')),
  );
  type Page = { projectId: string; at: number; id: string; limit: number };
  const listStatement = (verified: boolean | undefined) =>
    database.statement<Page>()((value) => {
      const page = domains()
        .where('projectDomains.projectId', '=', value('projectId'))
        .where((row) =>
          row.or([
            row('projectDomains.createdAt', '<', value('at')),
            row.and([
              row('projectDomains.createdAt', '=', value('at')),
              row('projectDomains.id', '<', value('id')),
            ]),
          ]),
        )
        .orderBy('projectDomains.createdAt', 'desc')
        .orderBy('projectDomains.id', 'desc')
        .limit(value('limit'));
      if (verified === undefined) return page;
      return page.where('verifiedDomains.verifiedAt', verified ? 'is not' : 'is', null);
    });
  const selectAll = listStatement(undefined);
  const selectVerified = listStatement(true);
  const selectUnverified = listStatement(false);
  const selectNames = database.statement<{ projectId: string; environment: string }>()((value) =>
    query
      .selectFrom('verifiedDomains')
      .select('name')
      .where('projectId', '=', value('projectId'))
      .where('environment', '=', value('environment'))
      .orderBy('name'),
  );
  const selectHolder = database.statement<{ name: string }>()((value) =>
    query
      .selectFrom('verifiedDomains')
      .select(['teamId', 'projectId', 'verifiedAt'])
      .where('name', '=', value('name')),
  );
  const insertDomain = database.statement<DomainRow>()((value) =>
    query
      .insertInto('projectDomains')
      .values({
        id: value('id'),
        teamId: value('teamId'),
        projectId: value('projectId'),
        name: value('name'),
        environment: value('environment'),
        token: value('token'),
        createdAt: value('createdAt'),
        updatedAt: value('updatedAt'),
      })
      .onConflict((conflict) => conflict.columns(['teamId', 'name']).doNothing()),
  );
  const keepWithin = database.statement<{ id: string; projectId: string; most: number }>()((value) =>
    query
      .updateTable('projectDomains')
      .set((row) => ({ updatedAt: row.ref('updatedAt') }))
      .where('id', '=', value('id'))
      .where(
        (count) =>
          count
            .selectFrom('projectDomains as all')
            .select((all) => all.fn.countAll<number>().as('all'))
            .where('all.projectId', '=', value('projectId')),
        '<=',
        value('most'),
      ),
  );
  const replaceToken = database.statement<{ id: string; token: string; next: string; now: number }>()(
    (value) =>
      query
        .updateTable('projectDomains')
        .set({ token: value('next'), updatedAt: value('now') })
        .where('id', '=', value('id'))
        .where('token', '=', value('token')),
  );
  const insertHolder = database.statement<VerifiedRow>()((value) =>
    query
      .insertInto('verifiedDomains')
      .values({
        name: value('name'),
        teamId: value('teamId'),
        projectId: value('projectId'),
        environment: value('environment'),
        verifiedAt: value('verifiedAt'),
      })
      .onConflict((conflict) => conflict.column('name').doNothing()),
  );
  const replaceHolder = database.statement<VerifiedRow & { beforeId: string; beforeAt: number }>()((value) =>
    query
      .updateTable('verifiedDomains')
      .set({
        teamId: value('teamId'),
        projectId: value('projectId'),
        environment: value('environment'),
        verifiedAt: value('verifiedAt'),
      })
      .where('name', '=', value('name'))
      .where('projectId', '=', value('beforeId'))
      .where('verifiedAt', '=', value('beforeAt')),
  );
  const touchHeld = database.statement<{ projectId: string; environment: string }>()((value) =>
    query
      .updateTable('verifiedDomains')
      .set((row) => ({ verifiedAt: row.ref('verifiedAt') }))
      .where('projectId', '=', value('projectId'))
      .where('environment', '=', value('environment')),
  );
  const deleteDomain = database.statement<{ id: string }>()((value) =>
    query.deleteFrom('projectDomains').where('id', '=', value('id')),
  );
  const deleteHolder = database.statement<{ name: string; projectId: string }>()((value) =>
    query
      .deleteFrom('verifiedDomains')
      .where('name', '=', value('name'))
      .where('projectId', '=', value('projectId')),
  );
  const deleteDomainsOfProject = database.statement<{ projectId: string }>()((value) =>
    query.deleteFrom('projectDomains').where('projectId', '=', value('projectId')),
  );
  const deleteHoldersOfProject = database.statement<{ projectId: string }>()((value) =>
    query.deleteFrom('verifiedDomains').where('projectId', '=', value('projectId')),
  );

  return {
    async find(teamId: string, name: string): Promise<ProjectDomain | undefined> {
      const row = await database.find(selectOne({ teamId, name }));
      return row && domainOf(row);
    },
    /** The newest first. */
    async list(projectId: string, { verified, after, limit }: DomainPage): Promise<ProjectDomain[]> {
      const select = verified === undefined ? selectAll : verified ? selectVerified : selectUnverified;
      const place = { at: after?.createdAt ?? Number.MAX_SAFE_INTEGER, id: after?.id ?? '' };
      const rows = await database.list(select({ projectId, limit, ...place }));
      return rows.map(domainOf);
    },
    /** The names that are proven for an environment. */
    async listVerifiedNames(projectId: string, environment: string): Promise<string[]> {
      const rows = await database.list(selectNames({ projectId, environment }));
      return rows.map(({ name }) => name);
    },
    findHolder: (name: string): Promise<DomainHolder | undefined> => database.find(selectHolder({ name })),
    /** One row unless the team has the domain already, in whichever project. */
    insert: (domain: ProjectDomain): Expected => exactly(1, insertDomain(domain)),
    /** Comes after `insert`, behind whoever else counts what the project has. */
    keepWithin: ({ id, projectId }: ProjectDomain, most: number): Expected =>
      exactly(1, keepWithin({ id, projectId, most })),
    /** One row while the domain is there with this token: a proof counts once. */
    spendToken: ({ id, token }: ProjectDomain, next: string, now: number): Expected =>
      exactly(1, replaceToken({ id, token, next, now })),
    /** One row while the holder is who it was when the proof was looked for. */
    hold: (domain: ProjectDomain, before: DomainHolder | undefined, verifiedAt: number): Expected => {
      const { name, teamId, projectId, environment } = domain;
      const row = { name, teamId, projectId, environment, verifiedAt };
      if (before === undefined) return exactly(1, insertHolder(row));
      return exactly(1, replaceHolder({ ...row, beforeId: before.projectId, beforeAt: before.verifiedAt }));
    },
    /**
     * Matches so many rows while the project has so many proven domains for the environment, and keeps them from being
     * lost before the unit ends.
     */
    keepHeld: (projectId: string, environment: string, count: number): Expected =>
      exactly(count, touchHeld({ projectId, environment })),
    delete: ({ id, name, projectId }: ProjectDomain): readonly (Expected | Bound<unknown>)[] => [
      exactly(1, deleteDomain({ id })),
      deleteHolder({ name, projectId }),
    ],
    deleteOfProject: (projectId: string): readonly Bound<unknown>[] => [
      deleteDomainsOfProject({ projectId }),
      deleteHoldersOfProject({ projectId }),
    ],
  };
}

function domainOf({ verifiedAt, ...row }: DomainRow & { verifiedAt: number | null }): ProjectDomain {
  return { ...row, verifiedAt: verifiedAt ?? undefined };
}
