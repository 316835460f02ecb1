import { getRoute, pageOf, type DeploymentDocument } from '@tessera/contract';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import type { DeploymentPage } from './deployment-store.ts';
import { permissionFor, type DeploymentWithHosts } from './deployment.ts';
import { createDomainRest } from './domains/domain-rest.ts';
import type { Domains } from './domains/domains.ts';
import type { By, NewDeployment } from './deployments.ts';

type Deployments = {
  domains: Domains;
  create(input: NewDeployment, by: By): Promise<{ deployment: DeploymentWithHosts; workloadSecret: string }>;
  find(teamId: string, id: string): Promise<DeploymentWithHosts | undefined>;
  rotateSecret(
    teamId: string,
    id: string,
    by: By & { previousExpiresInSeconds: number },
  ): Promise<{ workloadSecret: string; previousExpiresAt: number }>;
  list(projectId: string, page: DeploymentPage): Promise<DeploymentWithHosts[]>;
  delete(teamId: string, id: string, by: By): Promise<void>;
};

export type DeploymentRestNeeds = {
  deployments: Deployments;
  findProject: (teamId: string, idOrName: string) => Promise<NewDeployment['project'] | undefined>;
  /** How a deployment's host is reached from outside. */
  address: { protocol: string; port: string };
};

/** REST doors of deployments, and of the domains at which they answer. */
export function createDeploymentRest({
  deployments,
  findProject,
  address,
}: DeploymentRestNeeds): readonly RestDoor[] {
  return [
    restDoor(getRoute('deployments.create'), async ({ team, body, caller, reference, authorize }) => {
      const project = await findProject(team.id, body.projectId);
      if (project === undefined) {
        throw publicError('not_found', { description: `The team has no project "${body.projectId}".` });
      }
      authorize(permissionFor(body.environment), {
        projectId: project.id,
        environment: body.environment,
      });
      const { deployment, workloadSecret } = await deployments.create(
        {
          team,
          project,
          environment: body.environment,
          hosts: body.hosts,
          autoAssignCustomDomains: body.autoAssignCustomDomains,
          upstream: body.upstream,
          git: body.git,
          trigger: body.trigger,
        },
        { actor: caller.id, reference },
      );
      return { ...documentOf(deployment), workloadSecret };
    }),

    restDoor(getRoute('deployments.list'), async ({ team, query }) => {
      const { projectId, environment, cursor, limit } = query;
      const project = await findProject(team.id, projectId);
      if (project === undefined) {
        throw publicError('not_found', { description: `The team has no project "${projectId}".` });
      }
      const page = { environment, after: cursor, limit: limit + 1 };
      const { rows, pagination } = pageOf(await deployments.list(project.id, page), limit);
      return { deployments: rows.map(documentOf), pagination };
    }),

    restDoor(getRoute('deployments.get'), async ({ team, params }) =>
      documentOf(await getDeployment(team.id, params.id)),
    ),

    restDoor(
      getRoute('deployments.rotate-secret'),
      async ({ team, params, body, caller, reference, authorize }) => {
        const { id, environment, projectId } = await getDeployment(team.id, params.id);
        // Whoever may create one gets a secret anyway.
        authorize(permissionFor(environment), { projectId, environment });
        return {
          id,
          ...(await deployments.rotateSecret(team.id, id, { ...body, actor: caller.id, reference })),
        };
      },
    ),

    restDoor(getRoute('deployments.delete'), async ({ team, params, caller, reference, authorize }) => {
      const { environment, projectId } = await getDeployment(team.id, params.id);
      authorize(permissionFor(environment), { projectId, environment });
      await deployments.delete(team.id, params.id, { actor: caller.id, reference });
    }),

    ...createDomainRest({ domains: deployments.domains, findProject }),
  ];

  async function getDeployment(teamId: string, id: string): Promise<DeploymentWithHosts> {
    const deployment = await deployments.find(teamId, id);
    if (deployment === undefined) throw publicError('not_found');
    return deployment;
  }

  function documentOf(deployment: DeploymentWithHosts): DeploymentDocument {
    const { id, teamId, projectId, environment, upstream, git, trigger, createdAt } = deployment;
    const hosts = [...deployment.hosts];
    // Its generated host stays its own; an alias may have moved on.
    const first = hosts.find(({ kind }) => kind === 'generated') ?? hosts[0];
    const port = address.port === '' ? '' : `:${address.port}`;
    return {
      id,
      teamId,
      projectId,
      environment,
      url: `${address.protocol}//${first?.host ?? ''}${port}`,
      hosts,
      upstream,
      git: git ?? null,
      trigger: trigger ?? null,
      createdAt,
    };
  }
}
