import type { ExplainedToken } from '@tessera/contract';
import { createId } from '@tessera/protocol';
import type { JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Database } from '#database';
import { PublicError, publicError } from '#errors';
import type { Keys } from '#keys';
import type { Limits } from '#limits';
import { findAudienceProblem, type IsTrustingHost } from './audience.ts';
import { decideMint, describeSteps, isFork, type MintDecision } from './policy/mint-policy.ts';
import {
  assertionLifetimeSeconds,
  defaultAudience,
  gitOf,
  issuerOf,
  lifetimeSeconds,
  subjectOf,
  triggerOf,
  workloadClaims,
  type Workload,
  type WorkloadDeployment,
  type WorkloadProject,
  type WorkloadTeam,
} from './workload.ts';
import { createRecordRefusal } from './refusals.ts';
import { createWorkloadTokenStore } from './workload-token-store.ts';

export type WorkloadsNeeds = {
  database: Database;
  clock: Clock;
  audit: Audit;
  keys: Keys;
  limits: Pick<Limits, 'count'>;
  urls: { origin: string; api: string; oidc: string; passport: string; connect: string };
  isTrustingHost?: IsTrustingHost;
};

export type Workloads = ReturnType<typeof createWorkloads>;

/** A new token. `expiresAt` in milliseconds since the epoch, `id` is its `jti`. */
export type MintedToken = { token: string; id: string; expiresAt: number };

/** By whom and for what a token is asked for. */
export type AskedMint = {
  actor: string;
  /** The person whose API token asks. */
  userId?: string | undefined;
  /** Of a trust policy: under which of its grants it asks. */
  grantRevision?: number | undefined;
  audience?: string | undefined;
  source?: string | undefined;
  reference?: string | undefined;
  /** Instead of the runtime's own life. */
  lifetimeSeconds?: number | undefined;
};

// A reused token has at least half an hour left.
const reuseMilliseconds = 90 * 60_000;
const remembered = 20_000;

type Reused = {
  readonly mintedAt: number;
  readonly epoch: number;
  readonly token: Promise<string | undefined>;
};

export function createWorkloads(needs: WorkloadsNeeds) {
  const { database, clock, audit, keys, urls } = needs;
  const ownUrls = Object.values(urls);
  const store = createWorkloadTokenStore(database);
  const recordRefusal = createRecordRefusal(needs);
  const lastGiven = new WeakMap<object, Reused>();
  /** A token of a key that is not in force any more is good for nothing. */
  const isReusable = ({ epoch, mintedAt }: Reused): boolean =>
    epoch === keys.epoch() && clock.now() - mintedAt < reuseMilliseconds;
  const reused = new LRUCache<string, Reused>({
    maxSize: remembered,
    // Counted, not reserved: `max` would set aside all places at start.
    sizeCalculation: () => 1,
  });

  /** Why a token is not made, for the record of the team; the answer is what is thrown. */
  async function refuse(workload: Workload, asked: AskedMint, error: PublicError): Promise<PublicError> {
    await recordRefusal(`${asked.actor} ${workload.project.id}`, {
      actor: asked.actor,
      action: 'workload-token.refuse',
      object: workload.project.id,
      teamId: workload.team.id,
      after: { ...factsOf(workload, asked), code: error.code, why: error.description },
      reference: asked.reference,
    });
    return error;
  }

  /** What the mint policy says of a token, and why; makes none. */
  function decide(workload: Workload, audience: string | undefined): MintDecision {
    const standard = defaultAudience(urls.origin, workload.team);
    const git = gitOf(workload);
    return decideMint(workload.project.oidcTokenConfig.mintPolicy, {
      environment: workload.environment,
      branch: git?.ref,
      trigger: triggerOf(workload),
      fork: isFork(git),
      interactive: workload.interactive === true,
      audience: audience ?? standard,
      isDefaultAudience: audience === undefined || audience === standard,
    });
  }

  /** Throws unless the project has tokens, the audience may be asked for, and the mint policy allows it. */
  async function authorize(workload: Workload, asked: AskedMint): Promise<MintDecision> {
    const { project } = workload;
    if (!project.oidcTokenConfig.enabled) throw await refuse(workload, asked, tokensDisabled(project));
    const problem =
      asked.audience === undefined ? undefined : await audienceProblem(workload, asked.audience);
    if (problem !== undefined) throw await refuse(workload, asked, publicError('invalid_target', problem));
    const decision = decide(workload, asked.audience);
    if (decision.allowed) return decision;
    throw await refuse(
      workload,
      asked,
      publicError('mint_policy_refused', {
        description: `The mint policy of "${project.name}" refuses this token for "${workload.environment}". ${describeSteps(decision.steps)}`,
      }),
    );
  }

  function audienceProblem({ team, project, environment }: Workload, audience: string) {
    // Exactly our issuer is a client assertion: short, and taken once, by an app that is linked with the project.
    const exceptions = [defaultAudience(urls.origin, team), urls.origin];
    const source = { teamId: team.id, projectId: project.id, environment };
    return findAudienceProblem(audience, {
      project,
      ownUrls,
      exceptions,
      isTrustingHost: async (asked) => (await needs.isTrustingHost?.(asked, source, 'default')) === true,
    });
  }

  /**
   * Mints a token and writes its audit record before handing it out. Its audience is the default one unless the
   * project lists the one asked for. A refusal is on the record too.
   *
   * @throws {PublicError} `oidc_tokens_disabled`, `invalid_target`, `mint_policy_refused`
   */
  async function mint(workload: Workload, asked: AskedMint): Promise<MintedToken> {
    const { team, project } = workload;
    const { wouldRefuse } = await authorize(workload, asked);
    const audience = asked.audience ?? defaultAudience(urls.origin, team);
    const claims: JWTPayload & { sub: string; exp: number } = workloadClaims(workload, {
      issuer: issuerOf(urls.oidc, workload),
      audience,
      id: createId('jti'),
      issuedAt: Math.floor(clock.now() / 1000),
      lifetimeSeconds:
        audience === urls.origin
          ? assertionLifetimeSeconds
          : (asked.lifetimeSeconds ?? lifetimeSeconds[workload.runtime]),
    });
    const id = claims.jti as string;
    const token = await keys.sign({
      purpose: 'workload',
      algorithm: team.workloadAlgorithm,
      type: 'JWT',
      claims,
    });
    const expiresAt = claims.exp * 1000;
    const about = { actor: asked.actor, object: id, teamId: team.id, reference: asked.reference };
    const facts = { ...factsOf(workload, asked), subject: claims.sub, audience };
    await database.write([
      store.insert({
        projectId: project.id,
        jti: id,
        minter: asked.actor,
        minterUserId: asked.userId,
        grantRevision: asked.grantRevision,
        subjectJti: undefined,
        expiresAt,
      }),
      audit.record({ ...about, action: 'workload-token.mint', after: { ...facts, expiresAt } }),
      ...(wouldRefuse === undefined
        ? []
        : [
            audit.record({
              ...about,
              action: 'workload-token.would-refuse',
              after: { ...facts, why: wouldRefuse },
            }),
          ]),
    ]);
    return { token, id, expiresAt };
  }

  return {
    mint,
    refuse,

    /** What a mint would say, and what the token would be, without making one. Nothing is recorded. */
    async explain(workload: Workload, audience: string | undefined): Promise<ExplainedToken> {
      const { project, team } = workload;
      const { enabled, mintPolicy } = project.oidcTokenConfig;
      const problem = audience === undefined ? undefined : await audienceProblem(workload, audience);
      const decision = decide(workload, audience);
      const ground: ExplainedToken['steps'] = [
        enabled
          ? { rule: 'always: enabled', outcome: 'allows', why: 'The project has tokens.' }
          : { rule: 'always: enabled', outcome: 'refuses', why: tokensDisabled(project).description },
        problem === undefined
          ? { rule: 'always: audience', outcome: 'allows', why: 'The audience may be asked for.' }
          : { rule: 'always: audience', outcome: 'refuses', why: `${problem.description} ${problem.mend}` },
      ];
      return {
        allowed: enabled && problem === undefined && decision.allowed,
        issuer: issuerOf(urls.oidc, workload),
        subject: subjectOf(workload),
        audience: audience ?? defaultAudience(urls.origin, team),
        mode: mintPolicy?.mode ?? 'none',
        steps: [...ground, ...decision.steps],
      };
    },

    /**
     * The token of a running deployment: the same for up to 90 minutes, of its two hours. Undefined when the project
     * has tokens switched off or has removed the environment, or its mint policy refuses this one. Whatever is in the
     * token is in the key it is remembered by, so that after a rename nobody is given the old name.
     */
    async forDeployment(running: {
      team: WorkloadTeam;
      project: WorkloadProject & { environments: readonly string[] };
      deployment: WorkloadDeployment;
    }): Promise<string | undefined> {
      const { team, project, deployment } = running;
      const { enabled, issuerMode, subjectForm, mintPolicy } = project.oidcTokenConfig;
      if (!enabled || !project.environments.includes(deployment.environment)) return undefined;
      // A deployment that is remembered is the same object at each request, and is spared its key.
      const last = lastGiven.get(running);
      if (last !== undefined && isReusable(last)) return last.token;
      const policy = mintPolicy == null ? '' : JSON.stringify(mintPolicy);
      const key = `${policy} ${deployment.id} ${deployment.environment} ${team.id} ${team.slug} ${team.workloadAlgorithm} ${project.id} ${project.name} ${issuerMode} ${subjectForm}`;
      const known = reused.get(key);
      if (known !== undefined && isReusable(known)) {
        known.token.then(
          () => lastGiven.set(running, known),
          () => undefined,
        );
        return known.token;
      }
      const token = mint(
        { team, project, environment: deployment.environment, runtime: 'function', deployment },
        { actor: deployment.id },
      ).then(
        (minted) => minted.token,
        (error: unknown) => {
          // Asked again only when a refusal is on the record once more, not at every request.
          if (error instanceof PublicError && error.code === 'mint_policy_refused') return undefined;
          reused.delete(key);
          throw error;
        },
      );
      reused.set(key, { mintedAt: clock.now(), epoch: keys.epoch(), token });
      return token;
    },
  };
}

function tokensDisabled({ name }: WorkloadProject): PublicError {
  return publicError('oidc_tokens_disabled', {
    description: `Tokens for workloads are switched off for the project "${name}".`,
  });
}

/** What the audit log says of a token, made or refused. */
function factsOf(workload: Workload, asked: AskedMint): Record<string, unknown> {
  const git = gitOf(workload);
  return {
    projectId: workload.project.id,
    environment: workload.environment,
    runtime: workload.runtime,
    deploymentId: workload.deployment?.id,
    branch: git?.ref,
    fork: git?.fork,
    trigger: triggerOf(workload),
    interactive: workload.interactive,
    audience: asked.audience,
    source: asked.source,
  };
}
