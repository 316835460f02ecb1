/**
 * A path of our own to go on to, from a parameter that anybody may have written. Undefined for everything else: an
 * open redirect would let a stranger borrow our name.
 */
export function parseReturnPath(given: string | undefined): string | undefined {
  if (given === undefined || given.length > 2000) return undefined;
  // Browsers read `\` as `/` and drop control characters, so `/\evil.example` would leave us.
  if (!given.startsWith('/') || /^\/[/\\]|[\p{Cc}\\]/u.test(given)) return undefined;
  const base = 'http://origin.invalid';
  try {
    const url = new URL(given, base);
    // Without its dot segments, `/.//evil.example` begins with two slashes: the name of another host.
    return url.origin === base && !url.pathname.startsWith('//') ? url.pathname + url.search : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Where the answer to a form of an authorization request may lead: to the redirect URI, and where that redirects.
 * Browsers hold `form-action` against every hop (tried in Chromium). Sources for the CSP.
 */
export function formActionFor(redirectUri: string): string[] {
  const { protocol, origin, hostname } = new URL(redirectUri);
  if (protocol === 'https:') return ['https:'];
  if (protocol !== 'http:') return ['https:', protocol];
  // A CSP source cannot name an IPv6 address. Plain http is registered for loopback alone.
  if (hostname.startsWith('[')) return ['https:', 'http:'];
  return ['https:', origin, 'http://localhost:*', 'http://*.localhost:*', 'http://127.0.0.1:*'];
}

/** The host that a person is sent to, as they should read it; the scheme where there is no host. */
export function hostOf(redirectUri: string): string {
  const { host, protocol } = new URL(redirectUri);
  return host === '' ? `${protocol}…` : host;
}
