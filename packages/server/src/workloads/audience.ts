import type { WorkloadProject } from './workload.ts';

/**
 * Whether an audience is the address of a deployment of the team that takes the tokens of this workload: also by
 * default, or only where the project that is called has said so.
 */
export type IsTrustingHost = (
  audience: string,
  source: { readonly teamId: string; readonly projectId: string; readonly environment: string },
  by: 'default' | 'saved',
) => Promise<boolean>;

/** Why a token may not be for an audience, and what to do about it. */
export type AudienceProblem = { description: string; mend: string };

/**
 * A token for an audience that its team never named could be carried anywhere; one for an address of ours could be
 * played back to us. Undefined when the audience may be asked for. The address of a deployment of the team that takes
 * this workload's tokens has been named by its own project.
 */
export async function findAudienceProblem(
  audience: string,
  {
    project,
    ownUrls,
    exceptions,
    isTrustingHost,
  }: {
    project: WorkloadProject;
    ownUrls: readonly string[];
    exceptions: readonly string[];
    isTrustingHost: (audience: string) => Promise<boolean>;
  },
): Promise<AudienceProblem | undefined> {
  if (exceptions.includes(audience)) return undefined;
  if (ownUrls.some((url) => isUnder(audience, url))) {
    return {
      description: `The audience "${audience}" is an address of this service itself.`,
      mend: 'Ask for the audience that the receiver expects, or leave it out when minting.',
    };
  }
  if (!project.oidcTokenConfig.audiences.includes(audience) && !(await isTrustingHost(audience))) {
    return {
      description: `The audience "${audience}" is not on the list of the project "${project.name}".`,
      mend:
        `Someone who may write federation settings adds it with PATCH /v9/projects/${project.name} ` +
        'and {"oidcTokenConfig":{"audiences":[…]}}, which replaces the list.',
    };
  }
  return undefined;
}

/** Compared as URLs, so that another spelling of our address is seen as ours. */
function isUnder(audience: string, base: string): boolean {
  const url = URL.parse(audience);
  const own = URL.parse(base);
  if (url === null || own === null || withoutRoot(url.host) !== withoutRoot(own.host)) return false;
  const path = own.pathname.replace(/\/$/, '');
  return url.pathname === path || url.pathname.startsWith(`${path}/`);
}

/** `id.example.com.` names the same host (RFC 1034 section 3.1). */
function withoutRoot(host: string): string {
  return host.replace(/\.(?=:|$)/, '');
}
