import { permissionTable, rolesThatMay, type CreateTrustPolicy, type Role } from '@tessera/contract';
import { publicError } from '#errors';
import { grantProblem, policyProblem } from './trust-policy.ts';

export type TrustSavingNeeds = {
  /** Throws `FetchFailure` for an address that would be refused whatever its name resolves to. */
  validateUrl: (url: string) => unknown;
  findProject(
    teamId: string,
    id: string,
  ): Promise<{ id: string; name: string; environments: readonly string[] } | undefined>;
  /** Our own base URLs: our tokens are exchanged by other rules. */
  ownUrls: readonly string[];
};

/**
 * Holds a policy against the rules before it is saved, new or changed: whom it trusts, and that whoever saves it holds
 * all that it gives.
 *
 * @throws {PublicError} `trust_policy_refused`, `forbidden`, `unknown_project`, `unknown_environment`
 */
export function createValidateTrust(needs: TrustSavingNeeds) {
  return async (team: { id: string; role: Role }, input: CreateTrustPolicy): Promise<void> => {
    const problem = policyProblem(input) ?? addressProblem(input.issuer) ?? grantProblem(input);
    if (problem !== undefined) throw publicError('trust_policy_refused', { description: `${problem}.` });
    await validateGrant(team, input);
  };

  function addressProblem(issuer: string): string | undefined {
    const host = URL.parse(issuer)?.host;
    if (needs.ownUrls.some((own) => URL.parse(own)?.host === host)) {
      return 'the issuer is this service itself, whose workload tokens are exchanged by their own rules';
    }
    try {
      needs.validateUrl(issuer);
      return undefined;
    } catch (error) {
      return `the issuer cannot be asked: ${error instanceof Error ? error.message : 'its address is refused'}`;
    }
  }

  async function validateGrant(
    team: { id: string; role: Role },
    { permissions, projectIds, builds }: CreateTrustPolicy,
  ): Promise<void> {
    for (const permission of permissions) {
      const { grant } = permissionTable[permission];
      if (grant !== 'if-given' && grant !== 'per-project') {
        throw publicError('trust_policy_refused', {
          description: `The permission "${permission}" cannot be given to a workload.`,
        });
      }
      if (!rolesThatMay(permission).includes(team.role)) {
        throw publicError('forbidden', {
          description: `You do not hold "${permission}" yourself, so you cannot give it.`,
        });
      }
    }
    if (builds.length > 0 && team.role !== 'owner') {
      throw publicError('forbidden', { description: 'Only an owner of the team lets a workload build.' });
    }
    for (const id of projectIds) await getProject(team.id, id);
    for (const { projectId, environment } of builds) {
      const { name, environments } = await getProject(team.id, projectId);
      if (environment === 'development' || !environments.includes(environment)) {
        throw publicError('unknown_environment', {
          description: `Nothing is built for the environment "${environment}" of the project "${name}".`,
        });
      }
    }
  }

  async function getProject(teamId: string, id: string) {
    const project = await needs.findProject(teamId, id);
    // By name as well, but what is kept is an id: a name may come to mean nothing.
    if (project?.id === id) return project;
    throw publicError('unknown_project', { description: `The team has no project with the id "${id}".` });
  }
}
