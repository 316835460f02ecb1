import { decide, scopeProblem, type SecretFact } from '#protection';
import type { Admission } from './admission.ts';
import type { UsedBypass } from './bypass-facts.ts';
import { siteFactsOf, type FactNeeds } from './facts.ts';
import type { GatewayNeeds, Site } from './needs.ts';
import { foundSessionOf } from './passport/session.ts';

/** What an open connection goes on by. */
export type Standing = {
  /** Connections of one key stand and fall together. */
  readonly key: string;
  /** Whether the request would still pass. @throws {DatabaseUnavailable} when nobody can say */
  stands(): Promise<boolean>;
};

const absent: SecretFact = { state: 'absent' };

/**
 * The decision once more, for what has passed and is still open: by the settings of now, the address it came from, and
 * the session or bypass it came with, as long as these are there. Secrets are not kept for it. A token of a trusted
 * source may have ended since, and was good when it was shown: what it passed by is the setting, unchanged.
 */
export function createStandings(needs: Pick<GatewayNeeds, 'deployments'> & Omit<FactNeeds, 'tokens'>) {
  async function stands(admission: Admission, clientAddress: string): Promise<boolean> {
    const { host, session: before } = admission;
    const site = await needs.deployments.findByHost(host.name);
    if (site === undefined || site.project.id !== admission.site.project.id) return false;
    const [session, ...bypasses] = await Promise.all([
      before === undefined ? undefined : needs.visitors.findLive(before.id),
      ...admission.bypasses.used.map((used) => lookAt(used, admission, site)),
    ]);
    const factOf = (kind: UsedBypass['kind']) =>
      bypasses.find((bypass) => bypass.kind === kind)?.fact ?? absent;
    const { outcome } = decide({
      ...siteFactsOf(admission, site, clientAddress),
      trustedSource: isByTrustedSource(admission) && isSameSource(admission.site, site) ? accepted : absent,
      automationBypass: factOf('automation'),
      shareLink: factOf('share'),
      session: session === undefined ? { state: 'none' } : foundSessionOf(session, host, site).fact,
    });
    return outcome.is === 'pass';
  }

  async function lookAt(
    { kind, id }: UsedBypass,
    { target }: Admission,
    site: Site,
  ): Promise<{ kind: UsedBypass['kind']; fact: SecretFact }> {
    const projectId = site.project.id;
    if (kind === 'share') {
      const link = await needs.bypasses.shareLinks.findLive(site.host, id);
      return { kind, fact: link?.projectId === projectId ? accepted : absent };
    }
    const secret = await needs.bypasses.automation.findLive(id);
    const at = { environment: site.deployment.environment, path: target.path };
    const counts = secret?.projectId === projectId && scopeProblem(secret, at) === undefined;
    return { kind, fact: counts ? accepted : absent };
  }

  return {
    of(admission: Admission, clientAddress: string): Standing {
      const { host, site, session, bypasses, method, target } = admission;
      const byPath = method === 'OPTIONS' || bypasses.used.some(({ kind }) => kind === 'automation');
      return {
        key: JSON.stringify([
          host.name,
          // A domain may go to another project, and what came before does not stand with what comes after.
          site.project.id,
          clientAddress,
          session?.id,
          bypasses.used.map(({ id }) => id),
          byPath ? [method, target.path] : [],
          isByTrustedSource(admission) ? settingOf(site) : [],
        ]),
        stands: () => stands(admission, clientAddress),
      };
    },
  };
}

const accepted: SecretFact = { state: 'accepted', because: 'What let the request pass is still there.' };

function isByTrustedSource({ verdict }: Admission): boolean {
  return verdict.outcome.is === 'pass' && verdict.outcome.by === 'trusted-source';
}

function isSameSource(before: Site, now: Site): boolean {
  return JSON.stringify(settingOf(before)) === JSON.stringify(settingOf(now));
}

/** What says which tokens of workloads count here. */
function settingOf({ deployment, project }: Site) {
  return [deployment.environment, project.protection.trustedSources ?? null];
}
