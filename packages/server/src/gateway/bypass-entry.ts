import type { Admission } from './admission.ts';
import type { UsedBypass } from './bypass-facts.ts';
import type { GatewayNeeds } from './needs.ts';
import type { OwnCookies } from './passport/own-cookies.ts';
import { valueOf } from './request/header-list.ts';
import { asksForWebSocket } from './request/headers.ts';
import type { SentRequest } from './request/sent-request.ts';

const longestCookieMilliseconds = 7 * 24 * 3_600_000;

/** The bypass by which a request passes, if it is one. */
export function passingBypass({ verdict, bypasses }: Admission): UsedBypass | undefined {
  const { outcome } = verdict;
  if (outcome.is !== 'pass') return undefined;
  const kind =
    outcome.by === 'automation-bypass' ? 'automation' : outcome.by === 'share-link' ? 'share' : undefined;
  return bypasses.used.find((used) => used.kind === kind);
}

/**
 * For a browser that comes by a secret and is to stay: a cookie of this host, and the same page at an address that no
 * longer carries the secret. Undefined for everything that simply passes: a redirect would lose a POST and break an
 * upgrade, and who has the cookie already would go round in circles.
 */
export function enterByBypass(
  needs: Pick<GatewayNeeds, 'bypasses' | 'clock'> & { ownCookies: OwnCookies },
  request: SentRequest,
  admission: Admission,
): { location: string; cookies: string[] } | undefined {
  const { host, site, target, presented, cookies } = admission;
  const used = passingBypass(admission);
  if (used === undefined || used.by === 'cookie') return undefined;
  if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
  // A front proxy that asks keeps `Upgrade` to itself; the key of a WebSocket comes through.
  const { rawHeaders } = request;
  if (valueOf(rawHeaders, 'upgrade') !== undefined || asksForWebSocket(rawHeaders)) return undefined;
  const sameSite = used.kind === 'share' ? 'Lax' : presented.setBypassCookie;
  if (sameSite === undefined) return undefined;
  const { kind, id } = used;
  const at = { kind, host: host.name, projectId: site.project.id };
  if (used.by === 'header') {
    const cookie = cookies.bypass;
    if (cookie.is === 'one' && needs.bypasses.cookies.parse(cookie.value, at) === id) return undefined;
  }
  const now = needs.clock.now();
  const expiresAt = Math.min(used.expiresAt ?? Number.MAX_SAFE_INTEGER, now + longestCookieMilliseconds);
  const value = needs.bypasses.cookies.format({ ...at, id, expiresAt });
  const maxAge = Math.max(1, Math.floor((expiresAt - now) / 1_000));
  return {
    location: `${host.origin}${target.forwarded}`,
    cookies: [needs.ownCookies.setBypass(kind, value, { maxAge, sameSite })],
  };
}
