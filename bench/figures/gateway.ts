import type { Figure } from '../figure.ts';
import { startBareProxy, startUpstream } from '../others.ts';
import { compareSides } from '../rounds.ts';
import { startSetUp } from '../tessera.ts';
import { setUpVisit } from '../visit.ts';

/**
 * A proxied GET of 1 KiB by a visitor who is signed in, with the session looked up and every header set, against the
 * barest proxy before the same upstream.
 */
export const gateway: Figure = async (say) => {
  const upstream = await startUpstream();
  const bare = await startBareProxy(upstream.url);
  try {
    const { urls, server, made } = await startSetUp(say, (base, link) =>
      setUpVisit(base, link, upstream.url),
    );
    const request = { url: urls.origin, method: 'GET' as const, headers: made };
    // The same request, cookies and all: they would come through any proxy.
    const theirs = { ...request, url: bare.url };
    return await compareSides(
      'gateway',
      { name: 'Tessera, session checked', server, request },
      [{ name: 'node:http and undici, nothing checked', server: bare.server, request: theirs, atLeast: 0.8 }],
      say,
    );
  } finally {
    await upstream.server.stop();
  }
};
