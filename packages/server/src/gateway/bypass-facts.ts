import { isBypassSecret } from '@tessera/protocol';
import { scopeProblem, type BypassKind, type SecretFact } from '#protection';
import type { ParsedRequest } from './admission.ts';
import type { GatewayNeeds, Site } from './needs.ts';
import type { OwnCookie } from './request/cookies.ts';
import type { PresentedSecret } from './request/presented.ts';

/** A bypass that a request has and that counts. */
export type UsedBypass = {
  readonly kind: BypassKind;
  readonly id: string;
  readonly by: 'header' | 'query' | 'cookie';
  readonly expiresAt: number | undefined;
};

export type BypassFacts = {
  readonly automationBypass: SecretFact;
  readonly shareLink: SecretFact;
  readonly used: readonly UsedBypass[];
  /** Well-formed secrets that were presented and are none of this project: to be counted. */
  readonly wrongSecrets: number;
};

type Looked = { fact: SecretFact; used?: UsedBypass; isWrong?: boolean };

export const noBypass: BypassFacts = {
  automationBypass: { state: 'absent' },
  shareLink: { state: 'absent' },
  used: [],
  wrongSecrets: 0,
};

/** Whether a request brings anything that could let it pass by. */
export function presentsBypass({ presented, cookies }: ParsedRequest): boolean {
  return (
    presented.bypass.is !== 'absent' ||
    presented.share.is !== 'absent' ||
    cookies.bypass.is !== 'absent' ||
    cookies.share.is !== 'absent'
  );
}

/**
 * What came of the bypass secrets and cookies of a request. Without any, and where nothing is protected, it costs
 * nothing. `mayGuess`: whether this network may try secrets here.
 */
export async function gatherBypassFacts(
  { bypasses }: Pick<GatewayNeeds, 'bypasses'>,
  parsed: ParsedRequest,
  site: Site,
  mayGuess: () => boolean,
): Promise<BypassFacts> {
  const { presented, cookies, target } = parsed;
  const { passport, protection } = site.project;
  const isProtected =
    passport !== undefined || Object.values(protection).some((setting) => setting !== undefined);
  const { bypass, share } = presented;
  if (!isProtected || !presentsBypass(parsed)) return noBypass;

  const projectId = site.project.id;
  const { host } = site;

  async function lookAtAutomation(): Promise<Looked> {
    const found = await find('automation', bypass, cookies.bypass, {
      verify: (secret) => bypasses.automation.verify(projectId, secret),
      findLive: bypasses.automation.findLive,
    });
    if (!('row' in found)) return found;
    const { row, by } = found;
    if (row.projectId !== projectId) return refused('The bypass cookie belongs to another project.');
    const problem = scopeProblem(row, { environment: site.deployment.environment, path: target.path });
    if (problem !== undefined) return refused(problem);
    return accepted('automation', row, by, by === 'cookie' ? 'A bypass cookie' : 'A bypass secret');
  }

  async function lookAtShare(): Promise<Looked> {
    const found = await find('share', share, cookies.share, {
      verify: (secret) => bypasses.shareLinks.verify(host, secret),
      findLive: (id) => bypasses.shareLinks.findLive(host, id),
    });
    if (!('row' in found)) return found;
    const { row, by } = found;
    if (row.projectId !== projectId) return refused('The share link belongs to another project.');
    return accepted('share', row, by, by === 'cookie' ? 'The cookie of a share link' : 'A share link');
  }

  /** The bypass behind a secret, else behind a cookie: a wrong secret does not take away what the cookie gives. */
  async function find<Row>(
    kind: BypassKind,
    secret: PresentedSecret,
    cookie: OwnCookie,
    look: {
      verify(secret: string): Promise<Row | undefined>;
      findLive(id: string): Promise<Row | undefined>;
    },
  ): Promise<Looked | { row: Row; by: UsedBypass['by'] }> {
    let first: Looked | undefined;
    if (secret.is === 'several') first = refused('Several secrets were sent. Expected one.');
    if (secret.is === 'one') {
      if (!mayGuess()) {
        const because = 'Too many wrong secrets came from this network.';
        // A deployment that hides from strangers must not say that it counted them.
        if (protection.trustedIps !== undefined) return refused(because);
        return { fact: { state: 'failed', because, code: 'too_many_tries' } };
      }
      const row = await look.verify(secret.value);
      if (row !== undefined) return { row, by: secret.by };
      first = {
        ...refused('The secret is none that counts here now.'),
        isWrong: isBypassSecret(secret.value),
      };
    }
    if (cookie.is === 'absent') return first ?? { fact: { state: 'absent' } };
    if (cookie.is === 'several') return first ?? refused('Two cookies of one name were sent.');
    const id = bypasses.cookies.parse(cookie.value, { kind, host, projectId });
    const row = id === undefined ? undefined : await look.findLive(id);
    if (row === undefined) return first ?? refused('The cookie is none that counts here now.');
    return { row, by: 'cookie' };
  }

  const [automation, shared] = await Promise.all([lookAtAutomation(), lookAtShare()]);
  return {
    automationBypass: automation.fact,
    shareLink: shared.fact,
    used: [automation.used, shared.used].filter((used) => used !== undefined),
    wrongSecrets: [automation, shared].filter(({ isWrong }) => isWrong === true).length,
  };
}

function refused(because: string): Looked {
  return { fact: { state: 'refused', because } };
}

function accepted(
  kind: BypassKind,
  { id, expiresAt }: { id: string; expiresAt: number | undefined },
  by: UsedBypass['by'],
  name: string,
): Looked {
  return {
    fact: { state: 'accepted', because: `${name} of this deployment was sent.` },
    used: { kind, id, by, expiresAt },
  };
}
