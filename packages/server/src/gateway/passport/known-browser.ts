import { randomBytes } from 'node:crypto';
import { cookieHeader, readCookie } from '#http';
import { equalInConstantTime } from '#sealing';
import type { GatewayNeeds, Site } from '../needs.ts';
import { valuesOf } from '../request/header-list.ts';
import type { RequestHost } from '../request/host.ts';
import type { SentRequest } from '../request/sent-request.ts';

type Needs = Pick<GatewayNeeds, 'clock' | 'sealing' | 'wire'>;

const lifetimeSeconds = 90 * 24 * 60 * 60;
const valueForm = /^([\w-]{16})\.(\d{13})\.([\w-]{43})$/;

/**
 * The cookie of a browser that has given this password: its wrong tries count for it alone, so that nobody who guesses
 * keeps it out (record 33). It lets nobody in, and is over with the password. Sent to the page of the password only.
 */
export function knownBrowserCookie(needs: Needs, host: RequestHost, site: Site): string {
  const nonce = randomBytes(12).toString('base64url');
  const expiresAt = needs.clock.now() + lifetimeSeconds * 1000;
  const value = `${nonce}.${expiresAt}.${macOf(needs, host, site, nonce, expiresAt)}`;
  const secure = host.origin.startsWith('https:');
  return cookieHeader(nameOf(needs), value, {
    secure,
    sameSite: 'Lax',
    path: needs.wire.passwordPath,
    maxAge: lifetimeSeconds,
  });
}

/** By what the tries of a browser are counted that has given this very password before; undefined for any other. */
export function findKnownBrowser(
  needs: Needs,
  request: SentRequest,
  { host, site }: { host: RequestHost; site: Site },
): string | undefined {
  const sent = valuesOf(request.rawHeaders, 'cookie').join('; ');
  const [, nonce = '', until = '', mac = ''] = valueForm.exec(readCookie(sent, nameOf(needs)) ?? '') ?? [];
  const expiresAt = Number(until);
  if (nonce === '' || expiresAt <= needs.clock.now()) return undefined;
  return equalInConstantTime(macOf(needs, host, site, nonce, expiresAt), mac) ? nonce : undefined;
}

/** One of ours by its name: what an upstream sets under it is dropped, and none gets it. */
function nameOf({ wire }: Needs): string {
  return `${wire.passportCookie}_known`;
}

function macOf({ sealing }: Needs, host: RequestHost, site: Site, nonce: string, expiresAt: number): string {
  const { version } = site.project.protection.passwordProtection ?? {};
  return sealing.mac(
    'password-known-browser',
    JSON.stringify([host.name, site.project.id, version, nonce, expiresAt]),
  );
}
