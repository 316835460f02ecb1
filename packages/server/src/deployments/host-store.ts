import type { DeploymentHost } from '@tessera/contract';
import type { RawBuilder } from 'kysely';
import { exactly, type Bound, type Database, type Expected } from '#database';
import type { Deployment, HostOwner } from './deployment.ts';

/** A row stays when nothing answers there any more: it says whose the host was. */
export type HostRow = {
  host: string;
  kind: string;
  deploymentId: string | null;
  teamId: string;
  projectId: string;
  environment: string;
  createdAt: number;
};
type Tables = {
  deploymentHosts: HostRow;
  deployments: { id: string; projectId: string; environment: string; createdAt: number };
};

/** Whose a proven name is. */
type Holding = { name: string; teamId: string; projectId: string; environment: string };

export type HostStore = ReturnType<typeof createHostStore>;

export function createHostStore(database: Database) {
  const query = database.queries<Tables>();

  const selectOfDeployment = database.statement<{ deploymentId: string }>()((value) =>
    query
      .selectFrom('deploymentHosts')
      .select(['host', 'kind'])
      .where('deploymentId', '=', value('deploymentId'))
      .orderBy('createdAt')
      .orderBy('host'),
  );
  const selectOwner = database.statement<{ host: string }>()((value) =>
    query
      .selectFrom('deploymentHosts')
      .select(['teamId', 'projectId', 'environment', 'deploymentId'])
      .where('host', '=', value('host')),
  );
  const newestDeployment = (value: (name: 'projectId' | 'environment') => RawBuilder<string>) =>
    query
      .selectFrom('deployments')
      .select('id')
      .where('projectId', '=', value('projectId'))
      .where('environment', '=', value('environment'))
      .orderBy('createdAt', 'desc')
      .orderBy('id', 'desc')
      .limit(1);
  /** The host goes with all that says whose it is; `within`: only inside of one environment. */
  const insertStatement = (moves: 'never' | 'within' | 'anywhere', to: 'given' | 'newest') =>
    database.statement<HostRow>()((value) => {
      const insert = query.insertInto('deploymentHosts').values({
        host: value('host'),
        kind: value('kind'),
        deploymentId: to === 'given' ? value('deploymentId') : newestDeployment(value),
        teamId: value('teamId'),
        projectId: value('projectId'),
        environment: value('environment'),
        createdAt: value('createdAt'),
      });
      if (moves === 'never') return insert.onConflict((conflict) => conflict.doNothing());
      return insert.onConflict((conflict) => {
        const move = conflict
          .column('host')
          .doUpdateSet((row) => ({
            deploymentId: row.ref('excluded.deploymentId'),
            teamId: row.ref('excluded.teamId'),
            projectId: row.ref('excluded.projectId'),
            environment: row.ref('excluded.environment'),
          }))
          .whereRef('deploymentHosts.kind', '=', 'excluded.kind');
        if (moves === 'anywhere') return move;
        return move
          .whereRef('deploymentHosts.teamId', '=', 'excluded.teamId')
          .whereRef('deploymentHosts.projectId', '=', 'excluded.projectId')
          .whereRef('deploymentHosts.environment', '=', 'excluded.environment');
      });
    });
  const insertNew = insertStatement('never', 'given');
  const insertOrMove = insertStatement('within', 'given');
  const insertOrTake = insertStatement('anywhere', 'given');
  const insertOrTakeForNewest = insertStatement('anywhere', 'newest');
  const releaseCustom = database.statement<{ host: string; projectId: string }>()((value) =>
    query
      .updateTable('deploymentHosts')
      .set({ deploymentId: null })
      .where('host', '=', value('host'))
      .where('projectId', '=', value('projectId'))
      .where('kind', '=', 'custom'),
  );
  const releaseOfDeployment = database.statement<{ deploymentId: string }>()((value) =>
    query
      .updateTable('deploymentHosts')
      .set({ deploymentId: null })
      .where('deploymentId', '=', value('deploymentId')),
  );
  const releaseOfProject = database.statement<{ projectId: string }>()((value) =>
    query
      .updateTable('deploymentHosts')
      .set({ deploymentId: null })
      .where('projectId', '=', value('projectId')),
  );

  return {
    async list(deploymentId: string): Promise<DeploymentHost[]> {
      const rows = await database.list(selectOfDeployment({ deploymentId }));
      return rows.map(({ host, kind }) => ({ host, kind: kind as DeploymentHost['kind'] }));
    },
    /** Whose a host is, or was: it stays with its project and environment. */
    findOwner: (host: string): Promise<HostOwner | undefined> => database.find(selectOwner({ host })),
    /**
     * One row unless the host is, or was, somebody else's. A generated host is never taken from its deployment; a
     * proven domain is taken from whoever had it, in a unit that keeps its proof.
     */
    claim: ({ host, kind }: DeploymentHost, deployment: Deployment, isProven: boolean): Expected => {
      const { id, teamId, projectId, environment, createdAt } = deployment;
      const claim =
        kind === 'generated' ? insertNew : isProven && kind === 'custom' ? insertOrTake : insertOrMove;
      return exactly(1, claim({ host, kind, deploymentId: id, teamId, projectId, environment, createdAt }));
    },
    /** Gives a proven name to the newest deployment of its environment, whoever had it before. */
    giveToNewest: ({ name, teamId, projectId, environment }: Holding, createdAt: number): Expected => {
      const row = {
        host: name,
        kind: 'custom',
        deploymentId: null,
        teamId,
        projectId,
        environment,
        createdAt,
      };
      return exactly(1, insertOrTakeForNewest(row));
    },
    /** Nothing of the project answers at this name any more. */
    release: ({ name, projectId }: Pick<Holding, 'name' | 'projectId'>): Bound<unknown> =>
      releaseCustom({ host: name, projectId }),
    releaseOfDeployment: (deploymentId: string): Bound<unknown> => releaseOfDeployment({ deploymentId }),
    releaseOfProject: (projectId: string): Bound<unknown> => releaseOfProject({ projectId }),
  };
}
