import { publicError } from '#errors';
import type { WorkloadProject } from './workload.ts';

/**
 * A token for an audience that its team never named could be carried anywhere; one for an address of ours could be
 * played back to us. Throws `invalid_target`, whose mend says how an audience gets onto the list.
 */
export function validateAudience(
  audience: string,
  allowed: { project: WorkloadProject; standard: string; issuer: string; ownUrls: readonly string[] },
): void {
  // Exactly our issuer is a client assertion: short, and taken once, by an app that is linked with the project.
  if (audience === allowed.standard || audience === allowed.issuer) return;
  if (allowed.ownUrls.some((url) => isUnder(audience, url))) {
    throw publicError('invalid_target', {
      description: `The audience "${audience}" is an address of this service itself.`,
      mend: `Leave the audience out: the token is then for "${allowed.standard}".`,
    });
  }
  if (!allowed.project.oidcTokenConfig.audiences.includes(audience)) {
    throw publicError('invalid_target', {
      description: `The audience "${audience}" is not on the list of the project "${allowed.project.name}".`,
      mend:
        `Someone who may write federation settings adds it with PATCH /v9/projects/${allowed.project.name} ` +
        'and {"oidcTokenConfig":{"audiences":[…]}}, which replaces the list.',
    });
  }
}

/** Compared as URLs, so that another spelling of our address is seen as ours. */
function isUnder(audience: string, base: string): boolean {
  const url = URL.parse(audience);
  const own = URL.parse(base);
  if (url === null || own === null || url.host !== own.host) return false;
  const path = own.pathname.replace(/\/$/, '');
  return url.pathname === path || url.pathname.startsWith(`${path}/`);
}
