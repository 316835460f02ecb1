import { createId } from '@tessera/protocol';
import type { JWTPayload } from 'jose';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Database } from '#database';
import { oauthError, type OAuthError } from '#errors';
import { TokenRefused, type Keys } from '#keys';
import { networkOf, type Limits } from '#limits';
import { findAudienceProblem, type IsTrustingHost } from '../audience.ts';
import { decideMint, describeSteps, type MintDecision } from '../policy/mint-policy.ts';
import { createRecordRefusal } from '../refusals.ts';
import { createFindStanding, NotStanding, type Standing, type StandingNeeds } from '../standing.ts';
import { isForkToken, verifyWorkloadToken, type VerifiedWorkload } from '../verifying.ts';
import { clockDifferenceSeconds, defaultAudience } from '../workload.ts';
import { createWorkloadTokenStore } from '../workload-token-store.ts';

export type ExchangeNeeds = StandingNeeds & {
  database: Database;
  clock: Clock;
  audit: Audit;
  keys: Pick<Keys, 'sign' | 'verify'>;
  limits: Pick<Limits, 'count' | 'isFull'>;
  urls: { origin: string; api: string; oidc: string; passport: string; connect: string };
  isTrustingHost?: IsTrustingHost;
};

export type ExchangeRequest = {
  subjectToken: string;
  audience: string;
  /** The caller's own choice for the new token's `jti`. */
  jti?: string | undefined;
  reference: string;
  clientAddress: string;
};

/** A token for another audience. `expiresAt` in seconds, as on the wire. */
export type ExchangedToken = { token: string; expiresAt: number; issuedAt: number };

export type Exchange = (request: ExchangeRequest) => Promise<ExchangedToken>;

const windowMilliseconds = 60_000;
/** Refused tokens a minute of one network, and exchanges a minute of one token. */
const limitOfRefusals = 300;
const limitOfToken = 300;
const refusals = 'workload-exchange-refused';
/** What a caller may choose as `jti`; never one that looks like ours. */
const chosenJti = /^(?!jti_)[\x21-\x7e]{1,128}$/;

/**
 * Changes a workload token into one for another audience (RFC 8693). Who holds the token may ask: so only the token
 * that every workload has is taken, once over, for an audience that the project lists, and what comes out says and
 * lasts no more than what went in.
 */
export function createExchange(needs: ExchangeNeeds): Exchange {
  const { audit, clock, database, keys, limits, urls } = needs;
  const store = createWorkloadTokenStore(database);
  const writeRefusal = createRecordRefusal(needs);
  const findStanding = createFindStanding({ ...needs, store });
  const ownUrls = Object.values(urls);

  return async (request) => {
    const claims = await verify(request);
    await count('workload-exchange', `${claims.project_id} ${claims.jti}`, limitOfToken);
    const standing = await getStanding(claims);
    const refuse = (error: OAuthError) => recordRefusal(error, claims, request);
    if (request.jti !== undefined && !chosenJti.test(request.jti)) {
      throw oauthError(
        'invalid_request',
        "The 'jti' has to be 1 to 128 printable characters without spaces, and not begin with 'jti_'",
      );
    }
    const problem =
      subjectProblem(claims, urls.origin) ?? (await audienceProblem(request.audience, standing, claims));
    if (problem !== undefined) throw await refuse(problem);
    const decision = decideExchange(claims, standing, request.audience);
    if (!decision.allowed) {
      throw await refuse(
        oauthError(
          'invalid_target',
          `The mint policy of the project '${standing.project.name}' refuses it. ${describeSteps(decision.steps)}`,
        ),
      );
    }
    return issue(claims, standing, decision, request);
  };

  async function verify({ subjectToken, clientAddress }: ExchangeRequest): Promise<VerifiedWorkload> {
    const network = networkOf(clientAddress);
    if (await limits.isFull(refusals, network, limitOfRefusals)) throw tooManyExchanges();
    try {
      return await verifyWorkloadToken({ keys, oidc: urls.oidc }, subjectToken);
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error;
      await count(refusals, network, limitOfRefusals);
      throw oauthError('invalid_request', `The subject token is not accepted: ${error.message}`, {
        cause: error,
      });
    }
  }

  async function count(name: string, key: string, limit: number): Promise<void> {
    const counted = await database.tryWrite([limits.count(name, key, limit, windowMilliseconds)]);
    if (!counted.committed) throw tooManyExchanges();
  }

  async function getStanding(claims: VerifiedWorkload): Promise<Standing> {
    try {
      return await findStanding(claims);
    } catch (error) {
      if (!(error instanceof NotStanding)) throw error;
      throw oauthError('invalid_request', `The subject token is not in force. ${error.message}`, {
        cause: error,
      });
    }
  }

  async function audienceProblem(
    audience: string,
    { team, project }: Standing,
    { environment }: VerifiedWorkload,
  ): Promise<OAuthError | undefined> {
    const source = { teamId: team.id, projectId: project.id, environment };
    const problem = await findAudienceProblem(audience, {
      project,
      ownUrls,
      exceptions: [],
      // Whoever received the usual token may ask here, and must not get into what its sender may call by default.
      isTrustingHost: async (asked) => (await needs.isTrustingHost?.(asked, source, 'saved')) === true,
    });
    return problem && oauthError('invalid_target', `${problem.description} ${problem.mend}`);
  }

  async function recordRefusal(
    error: OAuthError,
    claims: VerifiedWorkload,
    { audience, reference }: ExchangeRequest,
  ): Promise<OAuthError> {
    await writeRefusal(`${actorOf(claims)} ${claims.project_id}`, {
      actor: actorOf(claims),
      action: 'workload-token.refuse',
      object: claims.project_id,
      teamId: claims.owner_id,
      after: {
        exchangeOf: claims.jti,
        environment: claims.environment,
        audience: audience.slice(0, 512),
        why: error.description,
      },
      reference,
    });
    return error;
  }

  async function issue(
    claims: VerifiedWorkload,
    { team, record }: Standing,
    decision: MintDecision,
    { audience, jti: chosen, reference }: ExchangeRequest,
  ): Promise<ExchangedToken> {
    const jti = chosen ?? createId('jti');
    const issuedAt = Math.floor(clock.now() / 1000);
    const token = await keys.sign({
      purpose: 'workload',
      algorithm: team.workloadAlgorithm,
      type: 'JWT',
      claims: exchangedClaims(claims, { audience, jti, issuedAt }),
    });
    const facts = { exchangeOf: claims.jti, environment: claims.environment, subject: claims.sub, audience };
    const about = { actor: actorOf(claims), object: jti, teamId: team.id, reference };
    const outcome = await database.tryWrite([
      store.insert({
        projectId: claims.project_id,
        jti,
        minter: record.minter,
        minterUserId: record.minterUserId,
        grantRevision: record.grantRevision,
        subjectJti: claims.jti,
        expiresAt: claims.exp * 1000,
      }),
      audit.record({
        ...about,
        action: 'workload-token.exchange',
        after: { ...facts, projectId: claims.project_id, expiresAt: claims.exp * 1000 },
      }),
      ...(decision.wouldRefuse === undefined
        ? []
        : [
            audit.record({
              ...about,
              action: 'workload-token.would-refuse',
              after: { ...facts, projectId: claims.project_id, why: decision.wouldRefuse },
            }),
          ]),
    ]);
    if (!outcome.committed) {
      throw oauthError(
        'invalid_request',
        `The 'jti' is that of another token of the project. Choose a new one, or leave it out`,
      );
    }
    return { token, expiresAt: claims.exp, issuedAt };
  }
}

/** Why the token itself may not be exchanged. */
function subjectProblem(claims: VerifiedWorkload, origin: string): OAuthError | undefined {
  if ('act' in claims) {
    return oauthError(
      'invalid_target',
      'The subject token was exchanged itself. Exchange the token that the workload was given',
    );
  }
  const standard = defaultAudience(origin, { slug: claims.owner });
  const { aud }: { aud: string } = claims;
  if (aud !== standard) {
    return oauthError(
      'invalid_target',
      `The subject token is for '${aud.slice(0, 200)}'. Only one for '${standard}' is exchanged`,
    );
  }
  return undefined;
}

/** The mint policy as of now, over what the token says of itself: an exchange opens nothing that a mint would not. */
function decideExchange(claims: VerifiedWorkload, { project }: Standing, audience: string): MintDecision {
  const text = (name: string) => (typeof claims[name] === 'string' ? claims[name] : undefined);
  return decideMint(project.oidcTokenConfig.mintPolicy, {
    environment: claims.environment,
    branch: text('git_ref'),
    trigger: text('trigger'),
    fork: isForkToken(claims),
    interactive: claims['interactive'] === true,
    audience,
    isDefaultAudience: false,
  });
}

/** Everything as it was but whom it is for, since when, and its name; `act` says what it was (RFC 8693, 4.1). */
function exchangedClaims(
  claims: VerifiedWorkload,
  to: { audience: string; jti: string; issuedAt: number },
): JWTPayload {
  const { sub, aud, iat, jti } = claims;
  return {
    ...claims,
    aud: to.audience,
    iat: to.issuedAt,
    nbf: Math.max(to.issuedAt - clockDifferenceSeconds, claims.nbf ?? 0),
    jti: to.jti,
    act: { sub, aud, iat, jti },
  };
}

function tooManyExchanges(): OAuthError {
  return oauthError('temporarily_unavailable', 'Too many exchanges. Keep a token until it expires', {
    status: 429,
    headers: { 'retry-after': String(windowMilliseconds / 1000) },
  });
}

function actorOf(claims: VerifiedWorkload): string {
  return claims.deployment_id ?? claims.user_id ?? claims.project_id;
}
