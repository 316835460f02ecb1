import { decodeJwt, type JWTPayload } from 'jose';
import type { TrustedSources as TrustedSourcesSetting } from '@tessera/contract';
import { RemoteIssuerFailure, RemoteTokenRefused, type RemoteIssuers } from '#remote-keys';
import type { SecretFact } from '../facts.ts';
import { findProviderEntry, hasSavedRule, judgeWorkload } from './source-rules.ts';

/** A deployment that a workload calls, as it is found by its host. */
export type TrustingSite = {
  readonly team: { readonly id: string; readonly slug: string };
  readonly project: {
    readonly id: string;
    readonly protection: { readonly trustedSources?: TrustedSourcesSetting | undefined };
  };
  readonly deployment: { readonly environment: string };
};

/** What counts of a workload token of ours, once it is verified. */
export type LiveWorkload = JWTPayload & {
  readonly iss: string;
  readonly aud: string;
  readonly owner_id: string;
  readonly project: string;
  readonly project_id: string;
  readonly environment: string;
};

export type TrustedSourcesNeeds = {
  /** The claims of a workload token of ours that is in force, with all that it rests on still there. */
  findLiveWorkload(token: string): Promise<LiveWorkload | undefined>;
  /** Whether such a token is of the build of a fork. */
  isForkToken(claims: LiveWorkload): boolean;
  remoteIssuers: RemoteIssuers;
  findByHost(host: string): Promise<TrustingSite | undefined>;
  /** `{origin}` and `{oidc}`. */
  urls: { readonly origin: string; readonly oidc: string };
  /** How browsers reach deployments. */
  address: { readonly protocol: string; readonly port: string };
};

export type TrustedSources = {
  /**
   * What the header of trusted sources amounts to at this site: all its values, as they came. `origin` is the host that
   * was asked for, as an address. Throws `DatabaseUnavailable`.
   */
  judge(tokens: readonly string[], site: TrustingSite, origin: string): Promise<SecretFact>;
  /**
   * Whether an audience is the address of a deployment of the team that takes this workload's tokens: also by default,
   * or only where its project has said so.
   */
  isTrustingHost(
    audience: string,
    source: { readonly teamId: string; readonly projectId: string; readonly environment: string },
    by: 'default' | 'saved',
  ): Promise<boolean>;
};

const longestToken = 16_384;

const refused = (because: string): SecretFact => ({ state: 'refused', because });
const accepted = (because: string): SecretFact => ({ state: 'accepted', because });

/**
 * Workloads that may call a protected deployment, known by the token that their own issuer gave them: ours for
 * workloads of the team, an outside one's where the project names it. Nothing is fetched for an issuer that the project
 * does not name. Whatever is not accepted is as if it had not been sent, but for two failures that a caller who should
 * get through has to be told of.
 */
export function createTrustedSources(needs: TrustedSourcesNeeds): TrustedSources {
  const { urls, address } = needs;
  const isOwnIssuer = (issuer: string) => issuer === urls.oidc || issuer.startsWith(`${urls.oidc}/`);

  function judgeOwnTeam(claims: LiveWorkload, site: TrustingSite, origin: string): SecretFact {
    const { team, project, deployment } = site;
    const { trustedSources } = project.protection;
    const standard = `${urls.origin}/${team.slug}`;
    const takesStandard = trustedSources?.acceptDefaultAudience === true;
    if (claims.aud !== origin && !(takesStandard && claims.aud === standard)) {
      return refused(
        `The token is for "${claims.aud}". One for this deployment has the audience "${origin}".`,
      );
    }
    const { environment } = deployment;
    const source = { projectId: claims.project_id, environment: claims.environment };
    switch (judgeWorkload({ projectId: project.id, environment, trustedSources }, source)) {
      case 'allowed':
        return accepted(`A workload of ${claims.project}, ${claims.environment}, may call ${environment}.`);
      case 'mismatch':
        return {
          state: 'failed',
          code: 'trusted_sources_environment_mismatch',
          because: `Received a token of ${claims.project} in the environment "${claims.environment}". The trusted sources of this project do not let it call "${environment}".`,
        };
      case 'unknown':
        return refused(`The project ${claims.project} is not among the trusted sources.`);
    }
  }

  function judgeClaims(issuer: string, claims: JWTPayload, site: TrustingSite): SecretFact {
    const entries = findEntries(site, issuer);
    const entry = findProviderEntry(entries, claims, site.deployment.environment);
    return entry === -1
      ? refused(`No entry of the issuer ${issuer} is fulfilled by the claims of the token.`)
      : accepted(`Entry ${entry + 1} of the issuer ${issuer} is fulfilled.`);
  }

  async function judgeOutside(token: string, issuer: string, site: TrustingSite): Promise<SecretFact> {
    try {
      return judgeClaims(issuer, await needs.remoteIssuers.verify(token, issuer), site);
    } catch (error) {
      if (error instanceof RemoteTokenRefused) return refused(`The token is not accepted: ${error.message}.`);
      if (!(error instanceof RemoteIssuerFailure)) throw error;
      return {
        state: 'failed',
        code: 'trusted_sources_oidc_discovery_failed',
        because: `The issuer ${issuer} is a trusted source, but what it publishes cannot be used.`,
      };
    }
  }

  return {
    async judge(tokens, site, origin) {
      const [token] = tokens;
      if (token === undefined) return { state: 'absent' };
      if (tokens.length > 1) return refused('More than one token was sent.');
      const issuer = readIssuer(token);
      if (issuer === undefined) return refused('What was sent is not a JWT with an issuer.');
      if (!isOwnIssuer(issuer)) {
        return findEntries(site, issuer).length === 0
          ? refused('Its issuer is not among the trusted sources.')
          : judgeOutside(token, issuer, site);
      }
      const claims = await needs.findLiveWorkload(token);
      if (claims === undefined) return refused('It is no workload token of ours that is in force.');
      // A stranger's code runs there: by name it is a preview of its project, and by trust it is not.
      if (needs.isForkToken(claims)) return refused('The token is of a build of a fork.');
      return claims.owner_id === site.team.id
        ? judgeOwnTeam(claims, site, origin)
        : judgeClaims(claims.iss, claims, site);
    },

    async isTrustingHost(audience, { teamId, projectId, environment }, by) {
      const url = URL.parse(audience);
      if (url === null || url.origin !== audience) return false;
      if (url.protocol !== address.protocol || url.port !== address.port) return false;
      const site = await needs.findByHost(url.hostname);
      if (site?.team.id !== teamId) return false;
      const { trustedSources } = site.project.protection;
      const target = { projectId: site.project.id, environment: site.deployment.environment, trustedSources };
      const source = { projectId, environment };
      if (by === 'saved' && !hasSavedRule(target, source)) return false;
      return judgeWorkload(target, source) === 'allowed';
    },
  };
}

function findEntries({ project }: TrustingSite, issuer: string) {
  const providers = project.protection.trustedSources?.oidcProviders ?? {};
  return Object.hasOwn(providers, issuer) ? (providers[issuer] ?? []) : [];
}

/** Which rules a token is held against; that it speaks the truth is verified there. */
function readIssuer(token: string): string | undefined {
  if (token.length > longestToken) return undefined;
  try {
    const { iss } = decodeJwt(token);
    return typeof iss === 'string' && iss !== '' ? iss : undefined;
  } catch {
    return undefined;
  }
}
