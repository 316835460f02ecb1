import type { DeploymentHost, Git } from '@tessera/contract';
import { createId, createOpaqueToken, hasValidChecksum } from '@tessera/protocol';
import type { Audit } from '#audit';
import type { Changes } from '#changes';
import type { Clock } from '#clock';
import type { Bound, Database, Expected } from '#database';
import type { TextLookup } from '#dns';
import { publicError } from '#errors';
import type { Limits } from '#limits';
import { hashSecret } from '#sealing';
import type { Deployment, DeploymentWithHosts, Located } from './deployment.ts';
import { createDeploymentStore, type DeploymentPage, type Join } from './deployment-store.ts';
import { createHostStore } from './host-store.ts';
import { createDomainStore } from './domains/domain-store.ts';
import { createDomains } from './domains/domains.ts';
import { domainProblem, generateHost, hostProblem, isFreeInDevelopment, type HostSpace } from './host.ts';
import type { UpstreamAddresses } from './upstream-addresses.ts';
import { upstreamProblem } from './upstream.ts';

export type NewDeployment = {
  team: { id: string; slug: string };
  project: { id: string; name: string; environments: readonly string[] };
  environment: string;
  /** Without one of kind `generated`, one is made. */
  hosts?: readonly DeploymentHost[] | undefined;
  /** Whether it takes over the proven domains of its project and environment; it does. */
  autoAssignCustomDomains?: boolean | undefined;
  upstream: string;
  git?: Git | undefined;
  trigger?: string | undefined;
};

export type By = { actor: string; reference?: string | undefined };

export type DeploymentsNeeds<Project extends object, Team extends object> = {
  database: Database;
  clock: Clock;
  audit: Audit;
  changes: Changes;
  /** The rooms whose rows are read together with a host's. */
  joins: { project: Join<Project>; team: Join<Team> };
  hostSpace: HostSpace;
  upstreamAddresses: UpstreamAddresses;
  /** `host:port` of the roles' base URLs: no upstream leads back to us. */
  ownHosts: readonly string[];
  limits: Pick<Limits, 'count'>;
  /** Where the proof of a domain is looked for. */
  lookUpText: TextLookup;
  /** Matches one row while the project is there; units about what it has go one after the other behind it. */
  holdProject: (id: string) => Expected;
};

export type Deployments<Project extends object, Team extends object> = ReturnType<
  typeof createDeployments<Project, Team>
>;

const secretPrefix = 'dws_';
// At a kilobyte each, when so many are asked for within the time. Nothing of a deployment ends by time alone, and among
// 100,000 hosts a minute is too short to be asked for one again.
const mostRemembered = 250_000;
const rememberedMilliseconds = 600_000;
const attempts = 5;

export function createDeployments<Project extends object, Team extends object>(
  needs: DeploymentsNeeds<Project, Team>,
) {
  const { database, clock, audit, changes, joins, hostSpace, upstreamAddresses, ownHosts, holdProject } =
    needs;
  const store = createDeploymentStore(database, joins);
  const domainStore = createDomainStore(database);
  const hostStore = createHostStore(database);
  const findByHost = changes.remember(
    ['deployments', joins.project.kind, joins.team.kind],
    mostRemembered,
    store.findByHost,
    rememberedMilliseconds,
  );

  return {
    /** Domains of projects, and their proof. */
    domains: createDomains({ ...needs, store: domainStore, hosts: hostStore }),

    /**
     * What answers at a host (lower case, without port); undefined for every host that is not a deployment's.
     * Remembered: for those who only look.
     */
    findByHost: (host: string): Promise<Located<Project, Team> | undefined> => findByHost(host),

    /** Whose a host is, or was, whether or not a deployment answers there. */
    findHostOwner: hostStore.findOwner,

    /** The deployments of a project with their hosts, the newest first. */
    async list(projectId: string, page: DeploymentPage): Promise<DeploymentWithHosts[]> {
      const found = await store.list(projectId, page);
      return Promise.all(
        found.map(async (deployment) => ({ ...deployment, hosts: await hostStore.list(deployment.id) })),
      );
    },

    async find(teamId: string, id: string): Promise<DeploymentWithHosts | undefined> {
      const deployment = await store.find(teamId, id);
      return deployment && { ...deployment, hosts: await hostStore.list(id) };
    },

    /** The deployment that a workload secret was made for. */
    async findByWorkloadSecret(secret: string): Promise<Deployment | undefined> {
      return hasValidChecksum(secret, secretPrefix) ? store.findBySecretHash(hashSecret(secret)) : undefined;
    },

    /**
     * A new deployment. An alias moves here from an older deployment of the same project and environment; any other
     * host that was ever in use is taken. Proven domains of the project and environment move here too. Throws
     * `unknown_environment`, `upstream_refused`, `host_refused`, `domain_proof_required`, `host_taken`, `not_found`.
     */
    async create(
      input: NewDeployment,
      by: By,
    ): Promise<{ deployment: DeploymentWithHosts; workloadSecret: string }> {
      const { team, project, environment, upstream, git, trigger } = input;
      validateEnvironment(environment, project);
      const problem = upstreamProblem(upstream, team.slug, {
        addresses: upstreamAddresses,
        ownHosts,
        domain: hostSpace.domain,
      });
      if (problem !== undefined) throw publicError('upstream_refused', { description: problem });
      const asked = completeHosts(input.hosts ?? [], team, project);

      const workloadSecret = createOpaqueToken(secretPrefix);
      const deployment: Deployment = {
        id: createId('dpl'),
        teamId: team.id,
        projectId: project.id,
        environment,
        upstream: new URL(upstream).origin,
        git,
        trigger,
        workloadSecretHash: hashSecret(workloadSecret),
        createdAt: clock.now(),
      };
      for (let attempt = 0; attempt < attempts; attempt++) {
        const proven = await domainStore.listVerifiedNames(project.id, environment);
        await validateProofs(asked, proven, input);
        const domains = input.autoAssignCustomDomains === false ? [] : assignable(proven, asked);
        const hosts = [...asked, ...domains.map((host) => ({ host, kind: 'custom' as const }))];
        const outcome = await database.tryWrite([
          holdProject(project.id),
          domainStore.keepHeld(project.id, environment, proven.length),
          ...hosts.map((host) => hostStore.claim(host, deployment, proven.includes(host.host))),
          store.insert(deployment),
          audit.record({
            actor: by.actor,
            action: 'deployment.create',
            object: deployment.id,
            teamId: team.id,
            after: {
              projectId: project.id,
              environment,
              upstream: deployment.upstream,
              hosts: hosts.map(({ host }) => host),
            },
            reference: by.reference,
          }),
          // An alias or a domain may have answered for another one until now.
          ...(hosts.some(({ kind }) => kind !== 'generated') ? [changes.note('deployments')] : []),
        ]);
        if (outcome.committed) return { deployment: { ...deployment, hosts }, workloadSecret };
        if (outcome.refusedAt === 0) throw publicError('not_found');
        // A domain was proven or lost since it was looked up.
        if (outcome.refusedAt === 1) continue;
        throw publicError('host_taken', {
          description: `The host "${hosts[outcome.refusedAt - 2]?.host}" is, or was, of another project or environment, or is the generated host of another deployment.`,
        });
      }
      throw publicError('changed_meanwhile');
    },

    /**
     * A new workload secret. The one from before counts until its end, one from before that no more: never more than
     * two. Throws `not_found`, `changed_meanwhile`.
     */
    async rotateSecret(
      teamId: string,
      id: string,
      { previousExpiresInSeconds, ...by }: By & { previousExpiresInSeconds: number },
    ): Promise<{ workloadSecret: string; previousExpiresAt: number }> {
      const deployment = await store.find(teamId, id);
      if (deployment === undefined) throw publicError('not_found');
      const workloadSecret = createOpaqueToken(secretPrefix);
      const previousExpiresAt = clock.now() + previousExpiresInSeconds * 1000;
      const outcome = await database.tryWrite([
        store.rotateSecret(deployment, { hash: hashSecret(workloadSecret), previousExpiresAt }),
        audit.record({
          actor: by.actor,
          action: 'deployment.rotate-secret',
          object: id,
          teamId,
          after: { previousExpiresAt },
          reference: by.reference,
        }),
        changes.note('deployments'),
      ]);
      if (!outcome.committed) throw publicError('changed_meanwhile');
      return { workloadSecret, previousExpiresAt };
    },

    /** Ends a deployment; its hosts stay with its project and environment. Throws `not_found`. */
    async delete(teamId: string, id: string, by: By): Promise<void> {
      const deployment = await store.find(teamId, id);
      if (deployment === undefined) throw publicError('not_found');
      const outcome = await database.tryWrite([
        store.delete(teamId, id),
        hostStore.releaseOfDeployment(id),
        audit.record({
          actor: by.actor,
          action: 'deployment.delete',
          object: id,
          teamId,
          before: { projectId: deployment.projectId, environment: deployment.environment },
          reference: by.reference,
        }),
        changes.note('deployments'),
      ]);
      if (!outcome.committed) throw publicError('not_found');
    },

    /** Statements that end every deployment and domain of a project, for the unit that deletes it. */
    endOfProject: ({ id }: { id: string }): readonly Bound<unknown>[] => [
      ...domainStore.deleteOfProject(id),
      store.deleteOfProject(id),
      hostStore.releaseOfProject(id),
      changes.note('deployments'),
    ],
  };

  /** Whoever could name any domain could wait there for its visitors. */
  async function validateProofs(
    hosts: readonly DeploymentHost[],
    proven: readonly string[],
    { team, project, environment }: NewDeployment,
  ): Promise<void> {
    const unproven = hosts.find(
      ({ host, kind }) =>
        kind === 'custom' && !proven.includes(host) && !isFreeInDevelopment(host, hostSpace),
    )?.host;
    if (unproven === undefined) return;
    const known = await domainStore.find(team.id, unproven);
    const domain = known?.projectId === project.id ? known : undefined;
    const path = `/projects/${project.name}/domains`;
    if (domain === undefined) {
      throw publicError('domain_proof_required', {
        description: `"${unproven}" is no domain of the project "${project.name}".`,
        mend: `Add it with POST /v10${path}, set the TXT record that is answered, and verify it.`,
      });
    }
    if (domain.environment !== environment) {
      throw publicError('host_refused', {
        description: `"${unproven}" is a domain of the environment "${domain.environment}"; this deployment is of "${environment}".`,
        mend: `Leave it out, or use a host below "${hostSpace.domain}".`,
      });
    }
    throw publicError('domain_proof_required', {
      description: `"${unproven}" is a domain of the project "${project.name}", but not proven.`,
      mend: `GET /v9${path}/${unproven} says which TXT record to set; then POST /v9${path}/${unproven}/verify.`,
    });
  }

  /** Those that are not named anyway; and not what the operator has made a host of ours since. */
  function assignable(proven: readonly string[], asked: readonly DeploymentHost[]): readonly string[] {
    const named = new Set(asked.map(({ host }) => host));
    return proven.filter((name) => !named.has(name) && domainProblem(name, hostSpace) === undefined);
  }

  function completeHosts(
    asked: readonly DeploymentHost[],
    team: { slug: string },
    project: { name: string },
  ): readonly DeploymentHost[] {
    const seen = new Set<string>();
    for (const entry of asked) {
      const problem = hostProblem(entry, hostSpace);
      if (problem !== undefined) throw publicError('host_refused', { description: problem });
      if (seen.has(entry.host)) {
        throw publicError('host_refused', { description: `"${entry.host}" is named twice.` });
      }
      seen.add(entry.host);
    }
    if (asked.some(({ kind }) => kind === 'generated')) return asked;
    if (hostSpace.domain === undefined) {
      throw publicError('host_refused', {
        description: 'This instance has no domain for deployments.',
        mend: 'The operator sets TESSERA_DEPLOYMENT_DOMAIN.',
      });
    }
    return [{ host: generateHost(hostSpace.domain, project.name, team.slug), kind: 'generated' }, ...asked];
  }
}

function validateEnvironment(environment: string, project: NewDeployment['project']): void {
  const deployable = project.environments.filter((name) => name !== 'development');
  if (deployable.includes(environment)) return;
  throw publicError('unknown_environment', {
    description:
      environment === 'development'
        ? 'The environment "development" is a person\'s own machine; nothing is deployed there.'
        : `The project "${project.name}" has no environment "${environment}"; it has ${deployable.join(', ')}.`,
  });
}
