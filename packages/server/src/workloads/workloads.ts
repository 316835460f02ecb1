import { createId } from '@tessera/protocol';
import type { JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Database } from '#database';
import { publicError } from '#errors';
import type { Keys } from '#keys';
import { validateAudience } from './audience.ts';
import {
  assertionLifetimeSeconds,
  defaultAudience,
  issuerOf,
  lifetimeSeconds,
  workloadClaims,
  type Workload,
  type WorkloadDeployment,
  type WorkloadProject,
  type WorkloadTeam,
} from './workload.ts';

export type WorkloadsNeeds = {
  database: Database;
  clock: Clock;
  audit: Audit;
  keys: Keys;
  urls: { origin: string; api: string; oidc: string; passport: string; connect: string };
};

export type Workloads = ReturnType<typeof createWorkloads>;

/** A new token. `expiresAt` in milliseconds since the epoch, `id` is its `jti`. */
export type MintedToken = { token: string; id: string; expiresAt: number };

// A reused token has at least half an hour left.
const reuseMilliseconds = 90 * 60_000;
const remembered = 20_000;

export function createWorkloads(needs: WorkloadsNeeds) {
  const { database, clock, audit, keys, urls } = needs;
  const ownUrls = Object.values(urls);
  const reused = new LRUCache<string, { mintedAt: number; token: Promise<string> }>({
    maxSize: remembered,
    // Counted, not reserved: `max` would set aside all places at start.
    sizeCalculation: () => 1,
  });

  /**
   * Mints a token and writes its audit record before handing it out. Its audience is the default one unless the
   * project lists the one asked for.
   *
   * @throws {PublicError} `oidc_tokens_disabled`, `invalid_target`
   */
  async function mint(
    workload: Workload,
    asked: {
      actor: string;
      audience?: string | undefined;
      source?: string | undefined;
      reference?: string | undefined;
    },
  ): Promise<MintedToken> {
    const { team, project } = workload;
    if (!project.oidcTokenConfig.enabled) {
      throw publicError('oidc_tokens_disabled', {
        description: `Tokens for workloads are switched off for the project "${project.name}".`,
      });
    }
    const audience = asked.audience ?? defaultAudience(urls.origin, team);
    validateAudience(audience, {
      project,
      standard: defaultAudience(urls.origin, team),
      issuer: urls.origin,
      ownUrls,
    });
    const claims: JWTPayload & { sub: string; exp: number } = workloadClaims(workload, {
      issuer: issuerOf(urls.oidc, workload),
      audience,
      id: createId('jti'),
      issuedAt: Math.floor(clock.now() / 1000),
      lifetimeSeconds:
        audience === urls.origin ? assertionLifetimeSeconds : lifetimeSeconds[workload.runtime],
    });
    const id = claims.jti as string;
    const token = await keys.sign({
      purpose: 'workload',
      algorithm: team.workloadAlgorithm,
      type: 'JWT',
      claims,
    });
    const record = audit.record({
      actor: asked.actor,
      action: 'workload-token.mint',
      object: id,
      teamId: team.id,
      after: {
        projectId: project.id,
        environment: workload.environment,
        runtime: workload.runtime,
        deploymentId: workload.deployment?.id,
        subject: claims.sub,
        audience,
        expiresAt: claims.exp * 1000,
        source: asked.source,
      },
      reference: asked.reference,
    });
    await database.write([record]);
    return { token, id, expiresAt: claims.exp * 1000 };
  }

  return {
    mint,

    /**
     * The token of a running deployment: the same for up to 90 minutes, of its two hours. Undefined when the project
     * has tokens switched off. Whatever is in the token is in the key it is remembered by, so that after a rename
     * nobody is given the old name.
     */
    async forDeployment(running: {
      team: WorkloadTeam;
      project: WorkloadProject;
      deployment: WorkloadDeployment;
    }): Promise<string | undefined> {
      const { team, project, deployment } = running;
      const { enabled, issuerMode, subjectForm } = project.oidcTokenConfig;
      if (!enabled) return undefined;
      const key = `${deployment.id} ${deployment.environment} ${team.id} ${team.slug} ${team.workloadAlgorithm} ${project.id} ${project.name} ${issuerMode} ${subjectForm}`;
      const known = reused.get(key);
      if (known !== undefined && clock.now() - known.mintedAt < reuseMilliseconds) return known.token;
      const token = mint(
        { team, project, environment: deployment.environment, runtime: 'function', deployment },
        { actor: deployment.id },
      ).then(
        (minted) => minted.token,
        (error: unknown) => {
          reused.delete(key);
          throw error;
        },
      );
      reused.set(key, { mintedAt: clock.now(), token });
      return token;
    },
  };
}
