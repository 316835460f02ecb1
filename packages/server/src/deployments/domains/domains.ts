import { createId } from '@tessera/protocol';
import type { Audit } from '#audit';
import type { Changes } from '#changes';
import type { Clock } from '#clock';
import type { Bound, Database, Expected } from '#database';
import type { TextLookup } from '#dns';
import { publicError } from '#errors';
import type { Limits } from '#limits';
import { domainProblem, type HostSpace } from '../host.ts';
import type { HostStore } from '../host-store.ts';
import { createProofToken, proofProblem, proofRecordOf, type ProjectDomain } from './domain.ts';
import type { DomainPage, DomainStore } from './domain-store.ts';

/** The project that a call is about, as its room knows it. */
export type OwningProject = { id: string; name: string; environments: readonly string[] };

export type DomainsNeeds = {
  database: Database;
  clock: Clock;
  audit: Audit;
  changes: Pick<Changes, 'note'>;
  limits: Pick<Limits, 'count'>;
  store: DomainStore;
  hosts: Pick<HostStore, 'giveToNewest' | 'release'>;
  hostSpace: HostSpace;
  lookUpText: TextLookup;
  /** Matches one row while the project is there; units about what it has go one after the other behind it. */
  holdProject: (id: string) => Expected;
};

type By = { actor: string; reference?: string | undefined };

export type Domains = ReturnType<typeof createDomains>;

/** As many as one deployment has hosts. */
const mostOfProject = 50;
// Each proof asks name servers that somebody typed.
const windowMilliseconds = 10 * 60_000;
const mostOfPerson = 60;
const mostOfTeam = 200;

/** Domains of projects, and the proof by DNS that they are theirs. */
export function createDomains(needs: DomainsNeeds) {
  const { database, clock, audit, changes, limits, store, hosts, hostSpace, lookUpText, holdProject } = needs;

  const find = async (teamId: string, projectId: string, name: string): Promise<ProjectDomain> => {
    const domain = await store.find(teamId, name);
    if (domain?.projectId === projectId) return domain;
    throw publicError('not_found', { description: `The project has no domain "${name}".` });
  };

  async function countProof(userId: string, teamId: string): Promise<void> {
    const outcome = await database.tryWrite([
      limits.count('domain-proof', userId, mostOfPerson, windowMilliseconds),
      limits.count('domain-proof-team', teamId, mostOfTeam, windowMilliseconds),
    ]);
    if (outcome.committed) return;
    throw publicError('too_many_domain_proofs', {
      description: `Received more than ${outcome.refusedAt === 0 ? `${mostOfPerson} from you` : `${mostOfTeam} from your team`} in ten minutes.`,
      headers: { 'retry-after': String(windowMilliseconds / 1_000) },
    });
  }

  return {
    /** Throws `not_found`. */
    find,
    list: (projectId: string, page: DomainPage): Promise<ProjectDomain[]> => store.list(projectId, page),

    /**
     * Says that a domain is the project's; nothing answers there before it is proven. Throws `host_refused`,
     * `unknown_environment`, `domain_taken`, `too_many_domains`.
     */
    async add(
      teamId: string,
      project: OwningProject,
      { name, environment }: { name: string; environment: string },
      by: By,
    ): Promise<ProjectDomain> {
      const problem = domainProblem(name, hostSpace);
      if (problem !== undefined) {
        throw publicError('host_refused', { description: problem, mend: 'Use a domain of your own.' });
      }
      if (environment === 'development' || !project.environments.includes(environment)) {
        const deployable = project.environments.filter((one) => one !== 'development').join(', ');
        throw publicError('unknown_environment', {
          description: `'environment': received "${environment}"; the project "${project.name}" deploys to ${deployable}.`,
        });
      }
      const now = clock.now();
      const domain: ProjectDomain = {
        id: createId('dom'),
        teamId,
        projectId: project.id,
        name,
        environment,
        token: createProofToken(),
        createdAt: now,
        updatedAt: now,
        verifiedAt: undefined,
      };
      const outcome = await database.tryWrite([
        holdProject(project.id),
        store.insert(domain),
        store.keepWithin(domain, mostOfProject),
        audit.record({
          actor: by.actor,
          action: 'project-domain.add',
          object: domain.id,
          teamId,
          after: { name, projectId: project.id, environment },
          reference: by.reference,
        }),
      ]);
      if (outcome.committed) return domain;
      switch (outcome.refusedAt) {
        case 0:
          throw publicError('not_found');
        case 1: {
          const { projectId } = (await store.find(teamId, name)) ?? {};
          throw publicError('domain_taken', {
            description: `"${name}" is a domain of ${projectId === project.id ? 'this project' : `the project "${projectId}" of this team`} already.`,
          });
        }
        default:
          throw publicError('too_many_domains', {
            description: `The project has ${mostOfProject} domains, which is the most.`,
          });
      }
    },

    /**
     * Looks for the proof in the DNS, and makes the project the one holder of the name, whoever was before: that proof
     * is over then, and nothing of theirs answers there any more. The newest deployment of the domain's environment
     * does. A domain that is proven stays so without another look. Throws `not_found`, `domain_not_proven`,
     * `domain_lookup_failed`, `too_many_domain_proofs`, `changed_meanwhile`, `host_taken`.
     */
    async verify(
      teamId: string,
      projectId: string,
      name: string,
      by: By & { userId: string },
    ): Promise<ProjectDomain> {
      const domain = await find(teamId, projectId, name);
      if (domain.verifiedAt !== undefined) return domain;
      // What the operator has made a host of ours since.
      const refused = domainProblem(name, hostSpace);
      if (refused !== undefined) throw publicError('host_refused', { description: refused });
      await countProof(by.userId, teamId);
      // Who holds it, from before the look: of two that look at the same time, one finds somebody else there.
      const before = await store.findHolder(name);
      const lost = before && (await store.find(before.teamId, name));
      const record = proofRecordOf(domain);
      const problem = proofProblem(record, await lookUpText(record.domain));
      if (problem !== undefined) throw publicError(problem.code, problem);

      const now = clock.now();
      const token = createProofToken();
      const outcome = await database.tryWrite([
        holdProject(projectId),
        store.spendToken(domain, token, now),
        store.hold(domain, before, now),
        hosts.giveToNewest(domain, now),
        audit.record({
          actor: by.actor,
          action: 'project-domain.verify',
          object: domain.id,
          teamId,
          after: { name, projectId, environment: domain.environment },
          reference: by.reference,
        }),
        ...(lost === undefined ? [] : [recordLoss(lost)]),
        changes.note('deployments'),
      ]);
      if (outcome.committed) return { ...domain, token, updatedAt: now, verifiedAt: now };
      switch (outcome.refusedAt) {
        case 0:
          throw publicError('not_found');
        case 3:
          throw publicError('host_taken', {
            description: `"${name}" was a host below the domain of deployments once.`,
          });
        default:
          throw publicError('changed_meanwhile', {
            description: `"${name}" was proven, changed or taken away by somebody else at the same time.`,
          });
      }
    },

    /** Takes a domain away; nothing answers there any more. To have it again it has to be proven anew. */
    async remove(teamId: string, projectId: string, name: string, by: By): Promise<void> {
      const domain = await find(teamId, projectId, name);
      const outcome = await database.tryWrite([
        ...store.delete(domain),
        hosts.release(domain),
        audit.record({
          actor: by.actor,
          action: 'project-domain.remove',
          object: domain.id,
          teamId,
          before: { name, projectId, verifiedAt: domain.verifiedAt ?? null },
          reference: by.reference,
        }),
        changes.note('deployments'),
      ]);
      if (!outcome.committed) throw publicError('not_found');
    },
  };

  /** For those who lose a domain. Who has it now is not theirs to know. */
  function recordLoss({ id, teamId, projectId, name, verifiedAt }: ProjectDomain): Bound<unknown> {
    return audit.record({
      actor: 'system',
      action: 'project-domain.lose',
      object: id,
      teamId,
      before: { name, projectId, verifiedAt },
      after: { because: 'somebody else proved by DNS that the domain is theirs' },
    });
  }
}
