import type { EnvironmentSet, NamedTrust, TrustedProviderEntry, TrustedSources } from '@tessera/contract';

/** What is called: a deployment's project and environment, and what its project trusts. */
export type TrustingTarget = {
  readonly projectId: string;
  readonly environment: string;
  /** Undefined: nothing was saved, and the defaults hold. */
  readonly trustedSources: TrustedSources | undefined;
};

export type WorkloadSource = { readonly projectId: string; readonly environment: string };

/** `unknown`: a project that this one does not trust at all. `mismatch`: it does, but not from there to here. */
export type SourceVerdict = 'allowed' | 'mismatch' | 'unknown';

const standard: readonly string[] = ['production', 'preview', 'development'];

/**
 * Whether a workload of the team may call this deployment. Without a word about it, a project's own workloads may, from
 * each environment to the same one, and development to preview; what is saved about a project replaces that.
 */
export function judgeWorkload(target: TrustingTarget, source: WorkloadSource): SourceVerdict {
  const projects = target.trustedSources?.projects ?? {};
  const saved = Object.hasOwn(projects, source.projectId) ? projects[source.projectId] : undefined;
  const isOwn = source.projectId === target.projectId;
  if (saved === undefined && !isOwn) return 'unknown';
  const same = source.environment === target.environment;
  if (saved === undefined) {
    return same || (source.environment === 'development' && target.environment === 'preview')
      ? 'allowed'
      : 'mismatch';
  }
  const allowed =
    saved.customAllow === undefined
      ? same
      : saved.customAllow.some(
          ({ from, to }) => covers(from, source.environment) && covers(to, target.environment),
        );
  return allowed ? 'allowed' : 'mismatch';
}

/** Whether the project that is called has said something of the one that calls; otherwise the defaults hold. */
export function hasSavedRule({ trustedSources }: TrustingTarget, { projectId }: WorkloadSource): boolean {
  return Object.hasOwn(trustedSources?.projects ?? {}, projectId);
}

/** Which projects of a team name some of these among their trusted sources; by ids, which no rename changes. */
export function listTrustingProjects(
  projects: readonly {
    id: string;
    name: string;
    protection: { trustedSources?: TrustedSources | undefined };
  }[],
  projectIds: readonly string[],
): NamedTrust[] {
  return projects
    .filter(({ protection }) =>
      Object.keys(protection.trustedSources?.projects ?? {}).some((id) => projectIds.includes(id)),
    )
    .map(({ id, name }) => ({
      kind: 'trusted-source',
      id,
      name,
      setting: 'trustedSources.projects',
      breaks: false,
    }));
}

function covers(set: EnvironmentSet, environment: string): boolean {
  return 'slugs' in set ? set.slugs.includes(environment) : !standard.includes(environment);
}

/** The first entry that the claims of an outside workload fulfil for this environment; -1 for none. */
export function findProviderEntry(
  entries: readonly TrustedProviderEntry[],
  claims: Readonly<Record<string, unknown>>,
  environment: string,
): number {
  return entries.findIndex((entry) => {
    const wanted = Object.entries(entry.claims);
    // Closed: an entry that some other version wrote without claims lets nobody in.
    if (!Object.hasOwn(entry.claims, 'aud') || wanted.length < 2) return false;
    return covers(entry.to, environment) && wanted.every(([claim, values]) => has(claims, claim, values));
  });
}

/** Exactly one of the values; of a claim that is a list, one item is enough. */
function has(claims: Readonly<Record<string, unknown>>, claim: string, values: readonly string[]): boolean {
  const given = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  const items: readonly unknown[] = Array.isArray(given) ? given : [given];
  return items.some((item) => typeof item === 'string' && values.includes(item));
}
