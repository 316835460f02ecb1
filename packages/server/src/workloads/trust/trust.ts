import {
  permissionTable,
  rolesThatMay,
  type CreateTrustPolicy,
  type Permission,
  type Role,
} from '@tessera/contract';
import { createId, createOpaqueToken, findDuplicateMember, hasValidChecksum } from '@tessera/protocol';
import { decodeJwt, type JWTPayload } from 'jose';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Database } from '#database';
import { oauthError, publicError } from '#errors';
import { networkOf, type Limits } from '#limits';
import { RemoteIssuerFailure, RemoteTokenRefused, type RemoteIssuers } from '#remote-keys';
import { hashSecret } from '#sealing';
import { checkClaims, policyProblem, type ClaimCheck, type TrustPolicy } from './trust-policy.ts';
import { createTrustPolicyStore } from './trust-policy-store.ts';

export type TrustNeeds = {
  database: Database;
  clock: Clock;
  audit: Audit;
  limits: Pick<Limits, 'count'>;
  remoteIssuers: RemoteIssuers;
  /** Throws `FetchFailure` for an address that would be refused whatever its name resolves to. */
  validateUrl: (url: string) => unknown;
  /** By id or slug. */
  findTeam(idOrSlug: string): Promise<{ id: string } | undefined>;
  findProject(
    teamId: string,
    id: string,
  ): Promise<{ id: string; name: string; environments: readonly string[] } | undefined>;
  /** Our own base URLs: our tokens are exchanged by other rules. */
  ownUrls: readonly string[];
};

export type Trust = ReturnType<typeof createTrust>;

/** What an outside workload may do here, once its token was taken. */
export type TrustedWorkload = {
  policyId: string;
  teamId: string;
  permissions: readonly Permission[];
  projectIds: readonly string[];
  builds: readonly { projectId: string; environment: string }[];
};

export type Simulation = {
  issuer: string | null;
  problem: string | null;
  policies: { policy: TrustPolicy; matches: boolean; checks: ClaimCheck[] }[];
};

/** What every token of a trust policy begins with. */
const trustTokenPrefix = 'tesx_';
const windowMilliseconds = 60_000;
const limitOfRefusals = 60;
const mostPolicies = 200;

/**
 * Trust in workloads of other platforms: policies, and the exchange of such a workload's token for a short-lived one
 * of the team (RFC 8693). A policy is looked up before anything is fetched, so that no token can name whom we ask.
 */
export function createTrust(needs: TrustNeeds) {
  const { database, clock, audit, limits, remoteIssuers } = needs;
  const store = createTrustPolicyStore(database);

  /** A verified token held against the policies of a team for its issuer; undefined policies when there are none. */
  async function hold(
    teamId: string,
    token: string,
  ): Promise<{
    issuer: string | undefined;
    claims: JWTPayload | undefined;
    policies: TrustPolicy[];
    problem?: string;
  }> {
    const issuer = readIssuer(token);
    const policies = (await store.list(teamId)).filter((policy) => policy.issuer === issuer);
    if (issuer === undefined || policies.length === 0) return { issuer, claims: undefined, policies: [] };
    try {
      const claims = await remoteIssuers.verify(token, issuer);
      const doubled = findDuplicateMember(payloadOf(token));
      if (doubled === undefined) return { issuer, policies, claims };
      return { issuer, policies, claims: undefined, problem: `it says "${doubled.slice(0, 100)}" twice` };
    } catch (error) {
      if (error instanceof RemoteTokenRefused || error instanceof RemoteIssuerFailure) {
        return { issuer, policies, claims: undefined, problem: error.message };
      }
      throw error;
    }
  }

  return {
    list: store.list,

    async has(teamId: string, id: string): Promise<boolean> {
      return (await store.list(teamId)).some((policy) => policy.id === id);
    },

    async get(teamId: string, id: string): Promise<TrustPolicy> {
      const found = (await store.list(teamId)).find((policy) => policy.id === id);
      if (found === undefined)
        throw publicError('not_found', { description: `The team has no trust policy "${id}".` });
      return found;
    },

    /** Throws `trust_policy_refused`, `forbidden` (nobody grants what they do not hold), `not_found` for a project. */
    async create(
      team: { id: string; role: Role },
      input: CreateTrustPolicy,
      by: { actor: string; reference: string },
    ): Promise<TrustPolicy> {
      const problem = policyProblem(input) ?? addressProblem(input.issuer) ?? emptyProblem(input);
      if (problem !== undefined) throw publicError('trust_policy_refused', { description: `${problem}.` });
      await validateGrant(team, input);
      if ((await store.list(team.id)).length >= mostPolicies) {
        throw publicError('trust_policy_refused', {
          description: `The team has ${mostPolicies} policies already.`,
        });
      }
      const policy: TrustPolicy = {
        ...input,
        id: createId('pol'),
        teamId: team.id,
        createdAt: clock.now(),
        createdBy: by.actor,
      };
      await database.write([
        store.insert(policy),
        audit.record({
          ...by,
          action: 'trust-policy.create',
          object: policy.id,
          teamId: team.id,
          after: input,
        }),
      ]);
      return policy;
    },

    /** Its tokens end with it. Throws `not_found`. */
    async delete(teamId: string, id: string, by: { actor: string; reference: string }): Promise<void> {
      const before = await this.get(teamId, id);
      const outcome = await database.tryWrite([
        store.delete(teamId, id),
        audit.record({ ...by, action: 'trust-policy.delete', object: id, teamId, before }),
      ]);
      if (!outcome.committed) throw publicError('not_found');
    },

    /** What each policy of the team says of a token, line by line; makes nothing. */
    async simulate(teamId: string, token: string): Promise<Simulation> {
      const { issuer, claims, policies, problem } = await hold(teamId, token);
      return {
        issuer: issuer ?? null,
        problem:
          problem ??
          (claims === undefined
            ? `The team has no policy for ${issuer === undefined ? 'a token without issuer' : `the issuer "${issuer.slice(0, 200)}"`}.`
            : null),
        policies:
          claims === undefined
            ? []
            : policies.map((policy) => {
                const checks = checkClaims(policy, claims);
                return { policy, checks, matches: checks.every(({ matches }) => matches) };
              }),
      };
    },

    /**
     * An outside workload's token for one of the team's. Exactly one policy has to match, or the one that is named: the
     * widest is never chosen by itself.
     *
     * @throws {OAuthError} `invalid_request`, the same for a team that does not exist as for one without a policy
     */
    async exchange(request: {
      team: string;
      subjectToken: string;
      policyId: string | undefined;
      reference: string;
      clientAddress: string;
    }): Promise<{ token: string; expiresInSeconds: number }> {
      const team = await needs.findTeam(request.team);
      const held = team === undefined ? undefined : await hold(team.id, request.subjectToken);
      const { claims, policies = [] } = held ?? {};
      const matching = policies.filter(
        (policy) =>
          claims !== undefined &&
          (request.policyId === undefined || policy.id === request.policyId) &&
          checkClaims(policy, claims).every(({ matches }) => matches),
      );
      const [policy] = matching;
      if (claims === undefined || policy === undefined || matching.length > 1) {
        await countRefusal(request.clientAddress);
        throw oauthError('invalid_request', reasonOf(matching.length, held?.problem));
      }
      const now = clock.now();
      const restSeconds = Math.floor((claims.exp ?? 0) - now / 1000);
      const expiresInSeconds = Math.min(policy.tokenLifetimeSeconds, Math.max(restSeconds, 1));
      const token = createOpaqueToken(trustTokenPrefix);
      const id = createId('tok');
      const outcome = await database.tryWrite([
        store.hold(policy.id),
        store.insertToken({
          hash: hashSecret(token),
          id,
          policyId: policy.id,
          expiresAt: now + expiresInSeconds * 1000,
        }),
        audit.record({
          actor: policy.id,
          action: 'trust-policy.exchange',
          object: id,
          teamId: policy.teamId,
          after: { issuer: policy.issuer, subject: claims.sub, jti: claims.jti, expiresInSeconds },
          reference: request.reference,
        }),
      ]);
      if (!outcome.committed) throw oauthError('invalid_request', reasonOf(0, undefined));
      return { token, expiresInSeconds };
    },

    /** What a presented token may do; undefined for one that is not in force. */
    async authenticate(token: string): Promise<TrustedWorkload | undefined> {
      if (!hasValidChecksum(token, trustTokenPrefix)) return undefined;
      const policy = await store.findLive(hashSecret(token));
      if (policy === undefined) return undefined;
      const { id, teamId, permissions, projectIds, builds } = policy;
      return { policyId: id, teamId, permissions, projectIds, builds };
    },
  };

  /** Refused tokens of one network: each may cost a signature check. */
  async function countRefusal(clientAddress: string): Promise<void> {
    const counted = await database.tryWrite([
      limits.count('trust-exchange-refused', networkOf(clientAddress), limitOfRefusals, windowMilliseconds),
    ]);
    if (counted.committed) return;
    throw oauthError('temporarily_unavailable', 'Too many refused tokens', {
      status: 429,
      headers: { 'retry-after': String(windowMilliseconds / 1000) },
    });
  }

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
      if (grant === 'per-project' && projectIds.length === 0) {
        throw publicError('trust_policy_refused', {
          description: `'projectIds' is empty: "${permission}" is given for named projects.`,
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

function emptyProblem({ permissions, builds }: CreateTrustPolicy): string | undefined {
  return permissions.length === 0 && builds.length === 0
    ? 'a policy that gives neither permissions nor builds is not made'
    : undefined;
}

/** Unverified: it only says which of the team's policies may be meant. */
function readIssuer(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

/** What was signed, as it was written: parsed, a second member of one name has taken the place of the first. */
function payloadOf(token: string): string {
  return Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
}

function reasonOf(matching: number, problem: string | undefined): string {
  if (matching > 1) return "Several trust policies match. Name the one that is meant in 'policy_id'";
  const mend = 'POST /v1/oidc-federation/policies/simulate says which line of which policy does not match';
  return problem === undefined
    ? `The team has no trust policy that matches the token. ${mend}`
    : `The token is not accepted: ${problem}. ${mend}`;
}
