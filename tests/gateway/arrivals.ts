import type { Echo } from './echo-upstream.ts';
import { forged, sentSession, sentTarget } from './raw-requests.ts';

/**
 * What must never be true of a request that arrives at the upstream, whatever was sent to the gateway; says what is
 * wrong. It remembers what has arrived: no verdict is for two requests.
 */
export function createArrivalCheck({
  protectedHost,
  openHost,
}: {
  protectedHost: string;
  openHost: string;
}): (echo: Echo) => string | undefined {
  const references = new Set<string>();
  return ({ headers, url, method }) => {
    const valuesOf = (name: string) =>
      headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
    const all = JSON.stringify(headers);
    // A name that a lost byte made another one is nobody's.
    const ours = headers.filter(([name]) =>
      name
        .toLowerCase()
        .replaceAll(/[^a-z0-9]/g, '')
        .startsWith('xvercel'),
    );
    if (JSON.stringify(ours).includes(forged)) return 'an identity header of the sender arrived';
    if (valuesOf('cookie').join().includes('_vercel_passport')) return 'a cookie of ours arrived';
    const [reference = '', ...more] = valuesOf('x-vercel-id');
    if (!/^req_\w+$/.test(reference) || more.length > 0) return 'no single reference of ours';
    // Two requests under one verdict: the second was hidden in the first.
    if (references.has(reference)) return 'two requests with one reference';
    references.add(reference);
    const tokens = valuesOf('x-vercel-oidc-passport-token');
    const [at = ''] = valuesOf('host');
    if (at.startsWith(protectedHost)) {
      if (!all.includes(sentSession)) return 'it arrived at a protected deployment without a session';
      if (tokens.length !== 1 || !tokens[0]?.startsWith('eyJ')) return 'no single visitor token of ours';
    } else if (!at.startsWith(openHost) || tokens.length > 0) {
      return `it arrived with another host or with a visitor: ${at}`;
    }
    if (['TRACE', 'CONNECT', 'PRI'].includes(method)) return `the method ${method} arrived`;
    return findFaultOfTarget(url, valuesOf(sentTarget));
  };
}

/** advisory-12, advisory-13: the path that was decided about is the one that arrives, byte for byte. */
function findFaultOfTarget(url: string, sent: readonly string[]): string | undefined {
  if (sent.length === 1 && /secret/.test(url)) return 'a secret of ours arrived in the address';
  if (/(?:^|\/|%2f)(?:\.|%2e){1,2}(?:\/|%2f|$|\?|;)/i.test(url.split('?', 1)[0] ?? ''))
    return 'dot segments arrived';
  if (/^\/+(?:\.|%2e)well-known\/+vercel\/+passport(?:[/?;]|$)/i.test(url))
    return "the gateway's own folder arrived";
  const target = Buffer.from(sent[0] ?? '', 'base64').toString('latin1');
  // Requests that were hidden in others, or were mutated, say nothing of theirs.
  if (sent.length !== 1 || !target.startsWith('/')) return undefined;
  // The request line ends its target at a space.
  const path = target.split(/[? ]/, 1)[0];
  return url.split('?', 1)[0] === path ? undefined : `another path than was sent (${target}) arrived`;
}
