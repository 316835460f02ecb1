import { claimsProblem, ownIssuerDemand, type TrustedSources } from '@tessera/contract';
import { publicError } from '#errors';
import { FetchFailure } from '#fetch';

export type TrustedSourcesInputNeeds = {
  findProject: (id: string) => Promise<{ id: string } | undefined>;
  /** Throws `FetchFailure` for an address that would be refused whatever its name resolves to. */
  validateUrl: (url: string) => unknown;
  /** `{oidc}`: our own issuer, and those of all teams below it. */
  oidc: string;
};

/** What the form of a setting cannot say by itself. Throws `unknown_project` and `bad_request`. */
export async function validateTrustedSources(
  { projects, oidcProviders }: TrustedSources,
  { findProject, validateUrl, oidc }: TrustedSourcesInputNeeds,
): Promise<void> {
  for (const id of Object.keys(projects)) {
    if ((await findProject(id)) === undefined) {
      throw publicError('unknown_project', { description: `The team has no project "${id}".` });
    }
  }
  for (const [issuer, entries] of Object.entries(oidcProviders)) {
    // Workloads of other teams here: all teams share an issuer, or may come to, so the team is named by its id.
    const isOurs = issuer === oidc || issuer.startsWith(`${oidc}/`);
    for (const { claims } of entries) {
      const problem = claimsProblem(issuer, Object.keys(claims), isOurs ? ownIssuerDemand : undefined);
      if (problem !== undefined) throw refused(issuer, problem);
    }
    if (isOurs) continue;
    try {
      validateUrl(issuer);
    } catch (error) {
      if (!(error instanceof FetchFailure)) throw error;
      throw refused(issuer, `received ${error.received}, expected ${error.expected}`, error.mend);
    }
  }
}

function refused(issuer: string, problem: string, mend?: string) {
  return publicError('bad_request', {
    description: `'trustedSources.oidcProviders': "${issuer}": ${problem}.`,
    ...(mend === undefined ? {} : { mend }),
  });
}
