export type RedirectUriDifference =
  | 'trailing slash'
  | 'scheme'
  | 'port'
  | 'host'
  | 'letter case'
  | 'path'
  | 'query'
  | 'fragment'
  | 'white space'
  | 'encoding';

/** How a presented URI misses the nearest registered one. */
export type RedirectUriNearMiss = {
  /** One or two of them. */
  differences: readonly RedirectUriDifference[];
  /** The registered URI it nearly is: for the app's owners only. */
  registered: string;
};

// A stranger chooses what is presented; nothing longer can be registered.
const longestPresented = 4_096;
// RFC 1035, 2.3.4. A URL may hold a longer one, which is no host's name, and none that a table should be made for.
const longestHost = 253;
/** Three parts wrong at once are another place, not a mistake. */
const mostDifferences = 2;

/** Which registered URI was probably meant, and where they differ; undefined when none is near. */
export function diagnoseRedirectUri(
  registered: readonly string[],
  presented: string,
): RedirectUriNearMiss | undefined {
  if (presented.length > longestPresented) return undefined;
  let nearest: RedirectUriNearMiss | undefined;
  for (const candidate of registered) {
    const differences = differencesOf(candidate, presented);
    if (differences === undefined || differences.length > mostDifferences) continue;
    if (nearest === undefined || differences.length < nearest.differences.length) {
      nearest = { differences, registered: candidate };
    }
  }
  return nearest;
}

/** The differences of two URIs, undefined for two that have nothing to do with each other. */
function differencesOf(registered: string, presented: string): RedirectUriDifference[] | undefined {
  // Before they are parsed: a parser takes white space away, and finds no scheme in an encoded URI.
  if (registered === presented.trim()) return ['white space'];
  if (registered === decoded(presented)) return ['encoding'];
  if (registered.toLowerCase() === presented.toLowerCase()) return ['letter case'];
  const expected = URL.parse(registered);
  const received = URL.parse(presented);
  if (expected === null || received === null) return undefined;
  const found: RedirectUriDifference[] = [];
  if (expected.protocol !== received.protocol) found.push('scheme');
  if (expected.hostname !== received.hostname) {
    if (isFar(expected.hostname, received.hostname)) return undefined;
    found.push('host');
  }
  // http → https also changes the default port: that is one difference, not two.
  if (expected.port !== received.port) found.push('port');
  if (expected.pathname !== received.pathname)
    found.push(differenceOfPaths(expected.pathname, received.pathname));
  if (expected.search !== received.search) found.push('query');
  if (received.hash !== '') found.push('fragment');
  return found.length === 0 ? ['trailing slash'] : found;
}

function differenceOfPaths(expected: string, received: string): RedirectUriDifference {
  if (expected.replace(/\/$/, '') === received.replace(/\/$/, '')) return 'trailing slash';
  return expected.toLowerCase() === received.toLowerCase() ? 'letter case' : 'path';
}

/** What a URI means that was encoded once more than it should have been. */
function decoded(presented: string): string | undefined {
  if (!presented.includes('%')) return undefined;
  try {
    return decodeURIComponent(presented);
  } catch {
    return undefined;
  }
}

/** Whether two hosts differ by more than a typing error. The lengths come first: most pairs need no table. */
function isFar(expected: string, received: string): boolean {
  const [one, other] = [bareHost(expected), bareHost(received)];
  if (one === other) return false;
  if (Math.abs(one.length - other.length) > 2 || other.length > longestHost) return true;
  return distance(one, other) > 2;
}

/** The names of this machine are one, `www.` is often forgotten, and a final dot is hardly seen. */
function bareHost(host: string): string {
  if (['127.0.0.1', '[::1]', 'localhost'].includes(host)) return 'localhost';
  return host.replace(/^www\./, '').replace(/\.$/, '');
}

/** Edit distance (Levenshtein): hosts are short, the plain table is enough. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1;
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + same));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
