import { getRoute, rolesThatMay, type Role } from '@tessera/contract';
import { publicError } from '#errors';
import { restDoor, type Caller, type RestDoor } from '#http';
import type { GitFacts, WorkloadProject, WorkloadTeam } from './workload.ts';
import type { Workloads } from './workloads.ts';

export type WorkloadRestNeeds = {
  workloads: Workloads;
  findTeam(id: string): Promise<WorkloadTeam | undefined>;
  /** By id or name, in this team alone. */
  findProject(
    teamId: string,
    idOrName: string,
  ): Promise<(WorkloadProject & { environments: readonly string[] }) | undefined>;
  findDeployment(
    teamId: string,
    id: string,
  ): Promise<
    { id: string; projectId: string; environment: string; git?: GitFacts | null | undefined } | undefined
  >;
};

/** The REST doors of workload tokens. */
export function createWorkloadRest(needs: WorkloadRestNeeds): readonly RestDoor[] {
  return [
    restDoor(getRoute('tokens.mint'), async ({ caller, team: named, params, query, body, reference }) => {
      const team = await needs.findTeam(named.id);
      const project = await needs.findProject(named.id, params.idOrName);
      if (team === undefined || project === undefined) {
        throw publicError('not_found', { description: `The team has no project "${params.idOrName}".` });
      }
      const asked = body ?? {};
      const deployment = await findDeployment(needs, named.id, project, asked);
      const environment = asked.environment ?? deployment?.environment ?? 'development';
      authorizeMint(caller, named.role, project, environment);
      if (!project.environments.includes(environment)) {
        throw publicError('unknown_environment', {
          description: `The project "${project.name}" has no environment "${environment}"; it has ${project.environments.join(', ')}.`,
        });
      }
      const development = environment === 'development';
      const { token } = await needs.workloads.mint(
        {
          team,
          project,
          environment,
          runtime: development ? 'development' : 'build',
          deployment,
          userId: development ? caller.userId : undefined,
        },
        {
          actor: caller.id,
          audience: asked.audience,
          source: asked.source ?? query.source,
          reference,
        },
      );
      return { token };
    }),
  ];
}

/** A deployment of another project or team is answered like one that does not exist. */
async function findDeployment(
  needs: WorkloadRestNeeds,
  teamId: string,
  project: WorkloadProject,
  asked: { deploymentId?: string | undefined; environment?: string | undefined },
) {
  if (asked.deploymentId === undefined) return undefined;
  const deployment = await needs.findDeployment(teamId, asked.deploymentId);
  if (deployment === undefined || deployment.projectId !== project.id) {
    throw publicError('deployment_mismatch', {
      description: `The project "${project.name}" has no deployment "${asked.deploymentId}".`,
    });
  }
  if (asked.environment !== undefined && asked.environment !== deployment.environment) {
    throw publicError('deployment_mismatch', {
      description: `The deployment belongs to "${deployment.environment}", not to "${asked.environment}".`,
    });
  }
  return deployment;
}

/**
 * A person, of a role that may, for the own development machine; a builder, by an owner's explicit gift, for the very
 * project and environment. Neither reaches into the other's.
 */
function authorizeMint(caller: Caller, role: Role, project: WorkloadProject, environment: string): void {
  if (environment === 'development') {
    const given = caller.permissions === 'role' || caller.permissions.has('oidc-token:development');
    if (given && rolesThatMay('oidc-token:development').includes(role)) return;
    throw publicError('workload_token_not_allowed', {
      description: `Development tokens are for people; this caller cannot have one in the role "${role}".`,
      mend: `Call with your own token, in one of the roles ${rolesThatMay('oidc-token:development').join(', ')}.`,
    });
  }
  const isBuilder =
    caller.kind === 'api-token' &&
    caller.builds.some((build) => build.projectId === project.id && build.environment === environment);
  if (isBuilder) return;
  throw publicError('workload_token_not_allowed', {
    description: `This caller may not mint tokens for the environment "${environment}" of "${project.name}".`,
    mend: `Use an API token that an owner gave oidc-token:build for this project and environment, or ask for "development".`,
  });
}
