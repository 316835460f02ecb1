import { rolesThatMay, type Role } from '@tessera/contract';
import { isId } from '@tessera/protocol';
import type { VerifiedWorkload } from './verifying.ts';
import type { WorkloadProject, WorkloadTeam } from './workload.ts';
import type { WorkloadToken, WorkloadTokenStore } from './workload-token-store.ts';

/** The records that a token rests on. */
export type StandingNeeds = {
  findTeam(id: string): Promise<WorkloadTeam | undefined>;
  findProject(
    teamId: string,
    id: string,
  ): Promise<(WorkloadProject & { environments: readonly string[] }) | undefined>;
  findDeployment(teamId: string, id: string): Promise<{ projectId: string; environment: string } | undefined>;
  findMembership(teamId: string, userId: string): Promise<{ role: Role } | undefined>;
  findUser(id: string): Promise<{ disabledAt: number | undefined } | undefined>;
  /** Whether a trust policy still gives what it gave: it is there, and no change has ended that grant. */
  hasTrustGrant(teamId: string, policyId: string, grantRevision: number): Promise<boolean>;
  /** Whether an API token was revoked, or never was. */
  isApiTokenRevoked(id: string): Promise<boolean>;
};

/** A token that rests on nothing any more; the message says on what. */
export class NotStanding extends Error {
  override readonly name = 'NotStanding';
}

export type Standing = { team: WorkloadTeam; project: WorkloadProject; record: WorkloadToken };

/**
 * Looks whether all that a verified token rests on is still there, now: team, project, environment, deployment, the
 * person, whoever minted it, and the token that it was exchanged for. A token outlives none of them.
 *
 * @throws {NotStanding}
 */
export function createFindStanding(needs: StandingNeeds & { store: Pick<WorkloadTokenStore, 'find'> }) {
  const { store } = needs;

  return async (claims: VerifiedWorkload): Promise<Standing> => {
    const { owner_id: teamId, project_id: projectId, environment, jti } = claims;
    const [team, project, record] = await Promise.all([
      needs.findTeam(teamId),
      needs.findProject(teamId, projectId),
      store.find(projectId, jti),
    ]);
    if (team === undefined) throw new NotStanding('Its team is gone.');
    if (project === undefined || project.id !== projectId) throw new NotStanding('Its project is gone.');
    if (!project.oidcTokenConfig.enabled) throw new NotStanding('Its project has tokens switched off.');
    if (!project.environments.includes(environment)) throw new NotStanding('Its environment is gone.');
    if (record === undefined) throw new NotStanding('It is not on record.');
    await requireDeployment(claims);
    if (claims.user_id !== undefined) await requirePerson(teamId, claims.user_id, environment);
    await requireMinter(record, teamId, environment);
    if (record.subjectJti !== undefined) {
      const subject = await store.find(projectId, record.subjectJti);
      if (subject === undefined) throw new NotStanding('The token that it was exchanged for is over.');
    }
    return { team, project, record };
  };

  async function requireDeployment(claims: VerifiedWorkload): Promise<void> {
    if (claims.deployment_id === undefined) return;
    const deployment = await needs.findDeployment(claims.owner_id, claims.deployment_id);
    if (deployment?.projectId !== claims.project_id || deployment.environment !== claims.environment) {
      throw new NotStanding('Its deployment is gone.');
    }
  }

  /** The right to have it minted, as it stands now. */
  async function requirePerson(teamId: string, userId: string, environment: string): Promise<void> {
    const [user, membership] = await Promise.all([
      needs.findUser(userId),
      needs.findMembership(teamId, userId),
    ]);
    if (user === undefined || user.disabledAt !== undefined)
      throw new NotStanding('Its person cannot log in.');
    // What an owner gave counts only as long as the giver is one.
    const roles: readonly Role[] =
      environment === 'development' ? rolesThatMay('oidc-token:development') : ['owner'];
    if (membership === undefined || !roles.includes(membership.role)) {
      throw new NotStanding('Its person may not have it any more.');
    }
  }

  async function requireMinter(
    { minter, minterUserId, grantRevision }: WorkloadToken,
    teamId: string,
    environment: string,
  ): Promise<void> {
    if (isId('tok', minter) && (await needs.isApiTokenRevoked(minter))) {
      throw new NotStanding('The API token that it was minted with is revoked.');
    }
    if (isId('pol', minter) && !(await needs.hasTrustGrant(teamId, minter, grantRevision ?? 1))) {
      throw new NotStanding('The trust policy that it was minted by is gone, or was changed.');
    }
    if (minterUserId !== undefined) await requirePerson(teamId, minterUserId, environment);
  }
}
