/** Why a URI cannot be registered, and what to write instead. */
export type RedirectUriProblem = { reason: string; mend: string };

const MAXIMUM_LENGTH = 2000;
// RFC 9700, 2.1 and RFC 9207: what we add to the query ourselves must not be there already.
const ANSWER_PARAMETERS = ['code', 'state', 'iss', 'error', 'error_description', 'error_uri', 'response'];
const LOOPBACK = /^http:\/\/(127\.0\.0\.1|\[::1\])(?::(\d{1,5}))?(?=[/?]|$)/;

/**
 * The rules of registration, for callback and post-logout URLs (RFC 8252 7 and 8.4, RFC 9700 2.1): https, or
 * http on a loopback address or `localhost` name, or a private-use scheme with a dot; nothing that two
 * parsers could read as two places. Undefined when the URI is fine.
 */
export function redirectUriProblem(uri: string): RedirectUriProblem | undefined {
  if (uri === '')
    return { reason: 'it is empty', mend: 'Give an absolute URL such as https://app.example.com/callback.' };
  if (uri.length > MAXIMUM_LENGTH) {
    return { reason: `it has ${uri.length} characters`, mend: `Use at most ${MAXIMUM_LENGTH} characters.` };
  }
  if (!/^[\x21-\x7e]*$/.test(uri)) {
    return {
      reason: 'it has a space, a control character or a character outside ASCII',
      mend: 'Percent-encode the path and query, and write an international host in its xn-- form.',
    };
  }
  if (/["<>\\^`{|}]/.test(uri)) {
    return {
      reason: 'it has a backslash or another character that URLs do not allow',
      mend: 'Percent-encode it.',
    };
  }
  if (uri.includes('#')) return { reason: 'it has a fragment', mend: 'Leave out "#" and what follows.' };
  if (uri.includes('*')) {
    return { reason: 'it has a wildcard', mend: 'Register every URL as it is, or select a project.' };
  }
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(uri)?.[1];
  if (scheme === undefined) {
    return {
      reason: 'it is not absolute',
      mend: 'Begin with https:// (or http://127.0.0.1 for a native app).',
    };
  }
  if (scheme !== scheme.toLowerCase()) {
    return { reason: `its scheme "${scheme}" has capital letters`, mend: `Write "${scheme.toLowerCase()}".` };
  }
  return schemeProblem(uri, scheme) ?? pathProblem(uri) ?? queryProblem(uri);
}

function schemeProblem(uri: string, scheme: string): RedirectUriProblem | undefined {
  if (scheme === 'https' || scheme === 'http') return hostProblem(uri, scheme);
  // `javascript:`, `data:`, `blob:`, `vbscript:`, `file:` and all others without a dot end here.
  if (!/^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+$/.test(scheme)) {
    return {
      reason: `the scheme "${scheme}" is not allowed`,
      mend: 'Use https, http on 127.0.0.1 or [::1], or a private scheme made from a domain you own, such as com.example.app:/callback.',
    };
  }
  if (!/^[a-z0-9.-]+:\//.test(uri) || URL.parse(uri) === null) {
    return { reason: 'its path is missing', mend: `Write ${scheme}:/callback.` };
  }
  return undefined;
}

function hostProblem(uri: string, scheme: string): RedirectUriProblem | undefined {
  const authority = /^https?:\/\/([^/?]*)/.exec(uri)?.[1];
  if (authority === undefined || authority === '') {
    return { reason: 'it has no host', mend: `Write ${scheme}://host/path.` };
  }
  if (authority.includes('@'))
    return { reason: 'it has a user name', mend: 'Leave out what stands before "@".' };
  const parsed = URL.parse(uri);
  const host = authority.replace(/:\d+$/, '');
  // What the parser of browsers makes of it must be what is written: no 0x7f.1, no %2e, no trailing colon.
  if (parsed === null || parsed.hostname !== host) {
    return {
      reason: `its host "${authority}" is not in plain form`,
      mend: parsed === null ? 'Check the host and the port.' : `Write "${parsed.host}".`,
    };
  }
  const isLocal = /^(127\.0\.0\.1|\[::1\]|localhost|.+\.localhost)$/.test(host);
  if (scheme === 'http' && !isLocal) {
    return {
      reason: 'plain http is only for this machine',
      mend: 'Use https, or http on 127.0.0.1 or [::1].',
    };
  }
  return undefined;
}

function pathProblem(uri: string): RedirectUriProblem | undefined {
  const path = (uri.split('?')[0] ?? '').replace(/^[a-z0-9.+-]+:\/*/, '');
  const dots = path.split('/').some((segment) => /^(\.|%2e){1,2}$/i.test(segment));
  return dots
    ? { reason: 'its path has "." or ".." as a segment', mend: 'Write the path it leads to.' }
    : undefined;
}

function queryProblem(uri: string): RedirectUriProblem | undefined {
  const query = uri.indexOf('?');
  if (query === -1) return undefined;
  const names = [...new URLSearchParams(uri.slice(query + 1)).keys()];
  const taken = names.find((name) => ANSWER_PARAMETERS.includes(name));
  if (taken === undefined) return undefined;
  return {
    reason: `its query has "${taken}", which our answer adds`,
    mend: `Give your parameter another name.`,
  };
}

/**
 * Whether a presented URI is a registered one: the same string, character by character (RFC 9700, 2.1); of
 * http loopback addresses only the port may differ (RFC 8252, 7.3).
 */
export function matchesRedirectUri(registered: string, presented: string): boolean {
  if (registered === presented) return true;
  const expected = LOOPBACK.exec(registered);
  const received = LOOPBACK.exec(presented);
  if (expected === null || received === null || expected[1] !== received[1]) return false;
  if (received[2] !== undefined && (Number(received[2]) > 65_535 || Number(received[2]) === 0)) return false;
  return (
    registered.slice(expected[0].length) === presented.slice(received[0].length) &&
    redirectUriProblem(presented) === undefined
  );
}
