import type { CreateTrustPolicy, NamedTrust, Permission, Role, UpdateTrustPolicy } from '@tessera/contract';
import { createId, createOpaqueToken, hasValidChecksum } from '@tessera/protocol';
import { decodeJwt, type JWTPayload } from 'jose';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Database, Expected } from '#database';
import { oauthError, publicError, type OAuthError } from '#errors';
import { networkOf, type Limits } from '#limits';
import { RemoteIssuerFailure, RemoteTokenRefused, type RemoteIssuers } from '#remote-keys';
import { hashSecret } from '#sealing';
import { createRecordRefusal } from '../refusals.ts';
import { changedInput, checkClaims, fieldsOf, type ClaimCheck, type TrustPolicy } from './trust-policy.ts';
import { createTrustPolicyStore } from './trust-policy-store.ts';
import { createValidateTrust, type TrustSavingNeeds } from './trust-saving.ts';

export type TrustNeeds = TrustSavingNeeds & {
  database: Database;
  clock: Clock;
  audit: Audit;
  limits: Pick<Limits, 'count' | 'isFull'>;
  remoteIssuers: RemoteIssuers;
  /** By id or slug. */
  findTeam(idOrSlug: string): Promise<{ id: string } | undefined>;
  /** Statement by which units that count what a team has go one after the other. */
  holdTeam: (teamId: string) => Expected;
};

export type Trust = ReturnType<typeof createTrust>;

/** What an outside workload may do here, once its token was taken. */
export type TrustedWorkload = {
  policyId: string;
  teamId: string;
  permissions: readonly Permission[];
  projectIds: readonly string[];
  builds: readonly { projectId: string; environment: string }[];
  grantRevision: number;
};

/** A token of a policy that is in force, in the words of introspection (RFC 7662). */
export type IntrospectedTrust = {
  owner_id: string;
  sub: string;
  jti: string;
  exp: number;
  iat?: number;
  scope: string;
};

export type Simulation = {
  issuer: string | null;
  problem: string | null;
  policies: { policy: TrustPolicy; matches: boolean; checks: ClaimCheck[] }[];
};

/** What every token of a trust policy begins with. */
const trustTokenPrefix = 'tesx_';
const windowMilliseconds = 60_000;
const refusals = 'trust-exchange-refused';
/** Refused tokens a minute of one network: each may cost a signature check. */
const limitOfRefusals = 60;
/** Exchanges a minute of one token. */
const limitOfToken = 60;
const mostPolicies = 200;

/**
 * Trust in workloads of other platforms: policies, and the exchange of such a workload's token for a short-lived one
 * of the team (RFC 8693). A policy is looked up before anything is fetched, so that no token can name whom we ask.
 */
export function createTrust(needs: TrustNeeds) {
  const { database, clock, audit, limits, remoteIssuers } = needs;
  const store = createTrustPolicyStore(database);
  const validate = createValidateTrust(needs);
  const recordRefusal = createRecordRefusal(needs);

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
      return { issuer, policies, claims: await remoteIssuers.verify(token, issuer) };
    } catch (error) {
      if (error instanceof RemoteTokenRefused || error instanceof RemoteIssuerFailure) {
        return { issuer, policies, claims: undefined, problem: error.message };
      }
      throw error;
    }
  }

  return {
    list: store.list,

    /** Whether a policy still gives what it gave under that grant. */
    async hasGrant(teamId: string, id: string, grantRevision: number): Promise<boolean> {
      return (await store.find(teamId, id))?.grantRevision === grantRevision;
    },

    /** Which policies give something for one of these projects; by ids, which no rename changes. */
    async listNaming(teamId: string, projectIds: readonly string[]): Promise<NamedTrust[]> {
      return (await store.list(teamId)).flatMap(({ id, name, ...policy }) => {
        const named = { projectIds: policy.projectIds, builds: policy.builds.map((one) => one.projectId) };
        return (['projectIds', 'builds'] as const)
          .filter((setting) => named[setting].some((one) => projectIds.includes(one)))
          .map((setting) => ({ kind: 'trust-policy' as const, id, name, setting, breaks: false }));
      });
    },

    async get(teamId: string, id: string): Promise<TrustPolicy> {
      const found = await store.find(teamId, id);
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
      await validate(team, input);
      const now = clock.now();
      const policy: TrustPolicy = {
        ...input,
        id: createId('pol'),
        teamId: team.id,
        createdAt: now,
        createdBy: by.actor,
        updatedAt: now,
        revision: 1,
        grantRevision: 1,
      };
      const outcome = await database.tryWrite([
        needs.holdTeam(team.id),
        store.insert(policy),
        store.keepWithin(policy, mostPolicies),
        audit.record({
          ...by,
          action: 'trust-policy.create',
          object: policy.id,
          teamId: team.id,
          after: input,
        }),
      ]);
      if (outcome.committed) return policy;
      if (outcome.refusedAt === 0) throw publicError('not_found');
      throw publicError('trust_policy_refused', {
        description: `The team has ${mostPolicies} policies already.`,
      });
    },

    /**
     * Changes what is given, and keeps the rest; the whole is held against the rules again, as if it were new. What the
     * policy gave ends, at once, unless its name alone changes. Throws what `create` throws, `not_found`,
     * `changed_meanwhile`.
     */
    async update(
      team: { id: string; role: Role },
      id: string,
      change: UpdateTrustPolicy,
      by: { actor: string; reference: string },
    ): Promise<TrustPolicy> {
      const before = await this.get(team.id, id);
      const { names, input } = changedInput(before, change);
      if (names.length === 0) return before;
      await validate(team, input);
      const isNameAlone = names.every((name) => name === 'name');
      const after: TrustPolicy = {
        ...before,
        ...input,
        updatedAt: clock.now(),
        grantRevision: before.grantRevision + (isNameAlone ? 0 : 1),
      };
      const outcome = await database.tryWrite([
        store.update(after),
        audit.record({
          ...by,
          action: 'trust-policy.update',
          object: id,
          teamId: team.id,
          before: fieldsOf(before, names),
          after: fieldsOf(after, names),
        }),
      ]);
      if (!outcome.committed) throw publicError('changed_meanwhile');
      return { ...after, revision: before.revision + 1 };
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
     * @throws {OAuthError} `invalid_request`, the same for a team that does not exist as for one without a policy;
     * 429 for a network with too many refused tokens, before its next is looked at, and for one token too often
     */
    async exchange(request: {
      team: string;
      subjectToken: string;
      policyId: string | undefined;
      reference: string;
      clientAddress: string;
    }): Promise<{ token: string; expiresInSeconds: number }> {
      const network = networkOf(request.clientAddress);
      if (await limits.isFull(refusals, network, limitOfRefusals)) throw tooManyExchanges();
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
        await count(refusals, network, limitOfRefusals);
        const why = reasonOf(matching.length, held?.problem);
        if (team !== undefined && claims !== undefined) {
          // A real token of an issuer that the team trusts, of a workload that it does not.
          const { iss: issuer, sub: subject, jti } = claims;
          await recordRefusal(`${team.id} ${issuer} ${subject}`, {
            actor: 'outside-workload',
            action: 'trust-policy.refuse',
            object: team.id,
            teamId: team.id,
            after: { issuer, subject: subject?.slice(0, 512), jti: jti?.slice(0, 128), why },
            reference: request.reference,
          });
        }
        throw oauthError('invalid_request', why);
      }
      await count('trust-exchange', signedPartHash(request.subjectToken), limitOfToken);
      const now = clock.now();
      const restSeconds = Math.floor((claims.exp ?? 0) - now / 1000);
      if (restSeconds < 1) {
        // Clocks may differ when it is judged; what comes out of it must not outlive it.
        await count(refusals, network, limitOfRefusals);
        throw oauthError('invalid_request', reasonOf(0, 'it has expired'));
      }
      const expiresInSeconds = Math.min(policy.tokenLifetimeSeconds, restSeconds);
      const token = createOpaqueToken(trustTokenPrefix);
      const id = createId('tok');
      const outcome = await database.tryWrite([
        store.hold(policy),
        store.insertToken({
          hash: hashSecret(token),
          id,
          policyId: policy.id,
          createdAt: now,
          expiresAt: now + expiresInSeconds * 1000,
          grantRevision: policy.grantRevision,
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
      const found = await store.findLive(hashSecret(token));
      if (found === undefined) return undefined;
      const { id, teamId, permissions, projectIds, builds, grantRevision } = found.policy;
      return { policyId: id, teamId, permissions, projectIds, builds, grantRevision };
    },

    /** What introspection tells the team of a token that is in force, with its policy as it is now. */
    async introspect(token: string): Promise<IntrospectedTrust | undefined> {
      if (!hasValidChecksum(token, trustTokenPrefix)) return undefined;
      const found = await store.findLive(hashSecret(token));
      if (found === undefined) return undefined;
      const { policy, token: kept } = found;
      return {
        owner_id: policy.teamId,
        sub: policy.id,
        jti: kept.id,
        exp: Math.floor(kept.expiresAt / 1000),
        ...(kept.createdAt === undefined ? {} : { iat: Math.floor(kept.createdAt / 1000) }),
        scope: [...policy.permissions, ...(policy.builds.length > 0 ? ['oidc-token:build'] : [])].join(' '),
      };
    },
  };

  async function count(name: string, key: string, limit: number): Promise<void> {
    const counted = await database.tryWrite([limits.count(name, key, limit, windowMilliseconds)]);
    if (!counted.committed) throw tooManyExchanges();
  }
}

function tooManyExchanges(): OAuthError {
  return oauthError('temporarily_unavailable', 'Too many exchanges. Keep a token until it expires', {
    status: 429,
    headers: { 'retry-after': String(windowMilliseconds / 1000) },
  });
}

/** Of what is signed alone: a signature can be written in more ways than one. */
function signedPartHash(token: string): string {
  return hashSecret(token.slice(0, token.lastIndexOf('.')));
}

/** Unverified: it only says which of the team's policies may be meant. */
function readIssuer(token: string): string | undefined {
  try {
    const { iss } = decodeJwt(token);
    return typeof iss === 'string' ? iss : undefined;
  } catch {
    return undefined;
  }
}

function reasonOf(matching: number, problem: string | undefined): string {
  if (matching > 1) return "Several trust policies match. Name the one that is meant in 'policy_id'";
  const mend = 'POST /v1/oidc-federation/policies/simulate says which line of which policy does not match';
  return problem === undefined
    ? `The team has no trust policy that matches the token. ${mend}`
    : `The token is not accepted: ${problem}. ${mend}`;
}
