import { getRoute, rolesThatMay, type Role } from '@tessera/contract';
import { publicError, type PublicError } from '#errors';
import { restDoor, type Caller, type RestDoor } from '#http';
import type { GitFacts, Workload, WorkloadProject, WorkloadTeam } from './workload.ts';
import type { Workloads } from './workloads.ts';

export type WorkloadRestNeeds = {
  workloads: Pick<Workloads, 'mint' | 'explain' | 'refuse'>;
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
    | {
        id: string;
        projectId: string;
        environment: string;
        git?: GitFacts | null | undefined;
        trigger?: string | undefined;
      }
    | undefined
  >;
};

/** The REST doors of workload tokens. */
export function createWorkloadRest(needs: WorkloadRestNeeds): readonly RestDoor[] {
  return [
    restDoor(getRoute('tokens.mint'), async ({ caller, team: named, params, query, body, reference }) => {
      const asked = body ?? {};
      const workload = await findWorkload(needs, named.id, params.idOrName, asked);
      const { project, environment } = workload;
      const by = {
        actor: caller.id,
        // A trust policy is nobody's: its tokens rest on it alone.
        userId: caller.kind === 'trust-policy' ? undefined : caller.userId,
        grantRevision: caller.grantRevision,
        audience: asked.audience,
        lifetimeSeconds: asked.lifetimeSeconds,
        source: asked.source ?? query.source,
        reference,
      };
      const problem = authorizationProblem(caller, named.role, project, environment);
      if (problem !== undefined) throw await needs.workloads.refuse(workload, by, problem);
      validateEnvironment(project, environment, asked);
      const userId = environment === 'development' ? caller.userId : undefined;
      const { token } = await needs.workloads.mint({ ...workload, userId }, by);
      return { token };
    }),

    restDoor(getRoute('tokens.explain'), async ({ team: named, params, body }) => {
      const workload = await findWorkload(needs, named.id, params.idOrName, body);
      validateEnvironment(workload.project, workload.environment, body);
      return needs.workloads.explain(workload, body.audience);
    }),
  ];
}

type Asked = {
  environment?: string | undefined;
  deploymentId?: string | undefined;
  audience?: string | undefined;
  git?: GitFacts | undefined;
  trigger?: string | undefined;
  interactive?: boolean | undefined;
  lifetimeSeconds?: number | undefined;
};

/** Whose token is asked for. Throws `not_found` and `deployment_mismatch`. */
async function findWorkload(
  needs: WorkloadRestNeeds,
  teamId: string,
  idOrName: string,
  asked: Asked,
): Promise<Workload & { project: WorkloadProject & { environments: readonly string[] } }> {
  const team = await needs.findTeam(teamId);
  const project = await needs.findProject(teamId, idOrName);
  if (team === undefined || project === undefined) {
    throw publicError('not_found', { description: `The team has no project "${idOrName}".` });
  }
  const deployment = await findDeployment(needs, teamId, project, asked);
  const environment = asked.environment ?? deployment?.environment ?? 'development';
  const { git, trigger, interactive } = asked;
  const runtime = environment === 'development' ? 'development' : 'build';
  return { team, project, environment, runtime, deployment, git, trigger, interactive };
}

/** Throws `unknown_environment`, and `bad_request` for what the environment's tokens do not take. */
function validateEnvironment(
  { name, environments }: { name: string; environments: readonly string[] },
  environment: string,
  asked: Asked,
): void {
  if (!environments.includes(environment)) {
    throw publicError('unknown_environment', {
      description: `The project "${name}" has no environment "${environment}"; it has ${environments.join(', ')}.`,
    });
  }
  const isDevelopment = environment === 'development';
  const strangers = isDevelopment
    ? (['git', 'trigger', 'interactive'] as const)
    : (['lifetimeSeconds'] as const);
  const stranger = strangers.find((field) => asked[field] !== undefined);
  if (stranger === undefined) return;
  throw publicError('bad_request', {
    description: isDevelopment
      ? `'${stranger}' is for builds; this token is for a person's own machine.`
      : `'${stranger}' is for development tokens; one for "${environment}" has a life of its own.`,
  });
}

/** A deployment of another project or team is answered like one that does not exist. */
async function findDeployment(
  needs: WorkloadRestNeeds,
  teamId: string,
  project: WorkloadProject,
  asked: Asked,
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
  const contradicted = contradictionOf(deployment, asked);
  if (contradicted !== undefined) {
    throw publicError('deployment_mismatch', {
      description: `The deployment was not created with this '${contradicted}'.`,
      mend: `Leave '${contradicted}' out: what the deployment was created with goes into its tokens.`,
    });
  }
  return deployment;
}

/** The first fact that is said of a deployment and is not on its record. */
function contradictionOf(
  deployment: { git?: GitFacts | null | undefined; trigger?: string | undefined },
  { git = {}, trigger }: Asked,
): string | undefined {
  const fields = Object.keys(git) as (keyof GitFacts)[];
  const differing = fields.find((field) => git[field] !== deployment.git?.[field]);
  if (differing !== undefined) return `git.${differing}`;
  return trigger !== undefined && trigger !== deployment.trigger ? 'trigger' : undefined;
}

/**
 * A person, of a role that may, for the own development machine; a builder, by an owner's explicit gift, for the very
 * project and environment. Neither reaches into the other's.
 */
function authorizationProblem(
  caller: Caller,
  role: Role,
  project: WorkloadProject,
  environment: string,
): PublicError | undefined {
  if (environment === 'development') {
    const given = caller.permissions === 'role' || caller.permissions.has('oidc-token:development');
    if (given && rolesThatMay('oidc-token:development').includes(role)) return undefined;
    return publicError('workload_token_not_allowed', {
      description: `Development tokens are for people; this caller cannot have one in the role "${role}".`,
      mend: `Call with your own token, in one of the roles ${rolesThatMay('oidc-token:development').join(', ')}.`,
    });
  }
  const isBuilder =
    caller.kind !== 'access-token' &&
    caller.builds.some((build) => build.projectId === project.id && build.environment === environment);
  if (isBuilder) return undefined;
  return publicError('workload_token_not_allowed', {
    description: `This caller may not mint tokens for the environment "${environment}" of "${project.name}".`,
    mend: `Use an API token that an owner gave oidc-token:build for this project and environment, or ask for "development".`,
  });
}
