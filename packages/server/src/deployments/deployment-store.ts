import type { DeploymentHost } from '@tessera/contract';
import { sql } from 'kysely';
import { LRUCache } from 'lru-cache';
import type { Bound, Database, Expected } from '#database';
import { exactly } from '#database';
import type { Deployment, Located } from './deployment.ts';
import type { HostRow } from './host-store.ts';

type DeploymentRow = {
  id: string;
  teamId: string;
  projectId: string;
  environment: string;
  upstream: string;
  git: string | null;
  trigger: string | null;
  workloadSecretHash: string;
  createdAt: number;
};
/** What only the rotation of a secret knows. */
type SecretColumns = {
  previousWorkloadSecretHash: string | null;
  previousWorkloadSecretExpiresAt: number | null;
};
type DeploymentTables = { deployments: DeploymentRow & SecretColumns; deploymentHosts: HostRow };

/**
 * What a statement here may read of another room's rows: that room names its table and columns and gives its rows
 * their meaning, so that a host is answered by one statement and no table is known in two rooms.
 */
export type Join<Noun> = {
  readonly table: string;
  /** What a unit that changes such a row notes. */
  readonly kind: string;
  /** The column that is another one after each change. */
  readonly revision: string;
  readonly columns: readonly string[];
  read(row: Record<string, unknown>): Noun;
};

export type DeploymentPage = {
  environment?: string | undefined;
  after?: { createdAt: number; id: string } | undefined;
  limit: number;
};

const columns = [
  'id',
  'teamId',
  'projectId',
  'environment',
  'upstream',
  'git',
  'trigger',
  'workloadSecretHash',
  'createdAt',
] as const;

const mostKnown = 2_000;

export function createDeploymentStore<Project extends object, Team extends object>(
  database: Database,
  joins: { project: Join<Project>; team: Join<Team> },
) {
  const query = database.queries<DeploymentTables>();

  const selectById = database.statement<{ teamId: string; id: string }>()((value) =>
    query
      .selectFrom('deployments')
      .select(columns)
      .where('id', '=', value('id'))
      .where('teamId', '=', value('teamId')),
  );
  type Page = { projectId: string; environment: string; at: number; id: string; limit: number };
  const listStatement = (ofEnvironment: boolean) =>
    database.statement<Page>()((value) => {
      const newest = query
        .selectFrom('deployments')
        .selectAll()
        .where('projectId', '=', value('projectId'))
        .where((row) =>
          row.or([
            row('createdAt', '<', value('at')),
            row.and([row('createdAt', '=', value('at')), row('id', '<', value('id'))]),
          ]),
        )
        .orderBy('createdAt', 'desc')
        .orderBy('id', 'desc')
        .limit(value('limit'));
      return ofEnvironment ? newest.where('environment', '=', value('environment')) : newest;
    });
  const selectNewest = listStatement(false);
  const selectNewestOfEnvironment = listStatement(true);
  const selectBySecretHash = database.statement<{ hash: string }>()((value) =>
    query
      .selectFrom('deployments')
      .select(columns)
      .where((row) =>
        row.or([
          row('workloadSecretHash', '=', value('hash')),
          row.and([
            row('previousWorkloadSecretHash', '=', value('hash')),
            row('previousWorkloadSecretExpiresAt', '>', database.now),
          ]),
        ]),
      ),
  );
  const updateSecret = database.statement<{
    id: string;
    before: string;
    hash: string;
    previousExpiresAt: number;
  }>()((value) =>
    query
      .updateTable('deployments')
      .set((row) => ({
        previousWorkloadSecretHash: row.ref('workloadSecretHash'),
        previousWorkloadSecretExpiresAt: value('previousExpiresAt'),
        workloadSecretHash: value('hash'),
      }))
      .where('id', '=', value('id'))
      .where('workloadSecretHash', '=', value('before')),
  );
  // The gateway asks these for every request whose host is not remembered: compiled once. Many hosts are of few
  // projects: those that are known already, in the revision of now, are neither read nor parsed again.
  const located = () =>
    query
      .selectFrom('deploymentHosts')
      .innerJoin('deployments', 'deployments.id', 'deploymentHosts.deploymentId')
      .innerJoin(
        sql<{ id: string }>`${sql.table(joins.project.table)}`.as('project'),
        'project.id',
        'deployments.projectId',
      )
      .innerJoin(
        sql<{ id: string }>`${sql.table(joins.team.table)}`.as('team'),
        'team.id',
        'deployments.teamId',
      )
      .select(['deploymentHosts.host', 'deploymentHosts.kind'])
      .select(columns.map((column) => `deployments.${column}` as const))
      .select([
        sql<string>`"project"."id" || ' ' || ${sql.ref(`project.${joins.project.revision}`)}`.as(
          'projectKey',
        ),
        sql<string>`"team"."id" || ' ' || ${sql.ref(`team.${joins.team.revision}`)}`.as('teamKey'),
      ]);
  const selectByHost = database.statement<{ host: string }>()((value) =>
    located().where('deploymentHosts.host', '=', value('host')),
  );
  const selectWholeByHost = database.statement<{ host: string }>()((value) =>
    located()
      .select(joins.project.columns.map((column) => sql.ref(`project.${column}`).as(`project_${column}`)))
      .select(joins.team.columns.map((column) => sql.ref(`team.${column}`).as(`team_${column}`)))
      .where('deploymentHosts.host', '=', value('host')),
  );
  const projects = new LRUCache<string, Project>({ max: mostKnown });
  const teams = new LRUCache<string, Team>({ max: mostKnown });
  const insertDeployment = database.statement<DeploymentRow>()((value) =>
    query.insertInto('deployments').values({
      id: value('id'),
      teamId: value('teamId'),
      projectId: value('projectId'),
      environment: value('environment'),
      upstream: value('upstream'),
      git: value('git'),
      trigger: value('trigger'),
      workloadSecretHash: value('workloadSecretHash'),
      createdAt: value('createdAt'),
    }),
  );
  const deleteDeployment = database.statement<{ teamId: string; id: string }>()((value) =>
    query.deleteFrom('deployments').where('id', '=', value('id')).where('teamId', '=', value('teamId')),
  );
  const deleteOfProject = database.statement<{ projectId: string }>()((value) =>
    query.deleteFrom('deployments').where('projectId', '=', value('projectId')),
  );

  return {
    async find(teamId: string, id: string): Promise<Deployment | undefined> {
      const row = await database.find(selectById({ teamId, id }));
      return row && deploymentOf(row);
    },
    async findBySecretHash(hash: string): Promise<Deployment | undefined> {
      const row = await database.find(selectBySecretHash({ hash }));
      return row && deploymentOf(row);
    },
    /** The newest first. */
    async list(projectId: string, { environment, after, limit }: DeploymentPage): Promise<Deployment[]> {
      const select = environment === undefined ? selectNewest : selectNewestOfEnvironment;
      const place = { at: after?.createdAt ?? Number.MAX_SAFE_INTEGER, id: after?.id ?? '' };
      const page = { projectId, environment: environment ?? '', limit, ...place };
      const rows = await database.list(select(page));
      return rows.map(deploymentOf);
    },
    async findByHost(host: string): Promise<Located<Project, Team> | undefined> {
      let row = await database.find(selectByHost({ host }));
      if (row === undefined) return undefined;
      let project = projects.get(row.projectKey);
      let team = teams.get(row.teamKey);
      if (project === undefined || team === undefined) {
        // The whole anew: by now the host may be somebody else's.
        row = await database.find(selectWholeByHost({ host }));
        if (row === undefined) return undefined;
        project = joins.project.read(partOf(row, 'project_', joins.project.columns));
        team = joins.team.read(partOf(row, 'team_', joins.team.columns));
        projects.set(row.projectKey, project);
        teams.set(row.teamKey, team);
      }
      return {
        host: row.host,
        hostKind: row.kind as DeploymentHost['kind'],
        deployment: deploymentOf(row),
        project,
        team,
      };
    },
    insert: (deployment: Deployment): Expected => exactly(1, insertDeployment(rowOf(deployment))),
    /** One row unless another rotation came first. The secret before the one from before counts no more. */
    rotateSecret: (
      { id, workloadSecretHash: before }: Deployment,
      { hash, previousExpiresAt }: { hash: string; previousExpiresAt: number },
    ): Expected => exactly(1, updateSecret({ id, before, hash, previousExpiresAt })),
    delete: (teamId: string, id: string): Expected => exactly(1, deleteDeployment({ teamId, id })),
    deleteOfProject: (projectId: string): Bound<unknown> => deleteOfProject({ projectId }),
  };
}

function partOf(row: object, prefix: string, names: readonly string[]): Record<string, unknown> {
  const values = row as Record<string, unknown>;
  return Object.fromEntries(names.map((name) => [name, values[prefix + name]]));
}

function rowOf({ git, trigger, ...deployment }: Deployment): DeploymentRow {
  return {
    ...deployment,
    git: git === undefined ? null : JSON.stringify(git),
    trigger: trigger ?? null,
  };
}

function deploymentOf({ git, ...row }: DeploymentRow): Deployment {
  return {
    id: row.id,
    teamId: row.teamId,
    projectId: row.projectId,
    environment: row.environment,
    upstream: row.upstream,
    git: git === null ? undefined : (JSON.parse(git) as NonNullable<Deployment['git']>),
    trigger: row.trigger ?? undefined,
    workloadSecretHash: row.workloadSecretHash,
    createdAt: row.createdAt,
  };
}
