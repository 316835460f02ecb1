import { availableParallelism } from 'node:os';
import type { Figure } from '../figure.ts';
import { startBareProxy, startCaddy, startUpstream } from '../others.ts';
import { keepToCores, type ServerProcess } from '../process.ts';
import { compareSides } from '../rounds.ts';
import { startSetUp } from '../tessera.ts';
import { setUpVisit } from '../visit.ts';

/**
 * The same request as in `gateway`, each proxy alone on one core, against Caddy's `reverse_proxy` without any
 * authentication; the barest proxy beside them. The load and the upstream have the other cores.
 */
export const gatewayBesideCaddy: Figure = async (say) => {
  const cores = availableParallelism();
  if (cores < 2) throw new Error('This needs two cores: one for the proxies, one for the load.');
  // What is started from now on inherits it: upstream and load.
  keepToCores(process.pid, cores === 2 ? '1' : `1-${cores - 1}`);
  const upstream = await startUpstream();
  try {
    const [caddy, bare] = [await startCaddy(upstream.url), await startBareProxy(upstream.url)];
    const { urls, server, made } = await startSetUp(say, (base, link) =>
      setUpVisit(base, link, upstream.url),
    );
    const onOneCore = (proxy: ServerProcess): ServerProcess => {
      keepToCores(proxy.child.pid, '0');
      return proxy;
    };
    // The same request but for the host, by which Caddy finds its site.
    const theirs = (url: string) => ({ url, method: 'GET' as const, headers: { cookie: made.cookie } });
    return await compareSides(
      'gateway-caddy',
      {
        name: 'Tessera, session checked',
        server: onOneCore(server),
        request: { url: urls.origin, method: 'GET', headers: made },
      },
      [
        {
          name: 'Caddy, nothing checked',
          server: onOneCore(caddy.server),
          request: theirs(caddy.url),
          atLeast: 0.6,
        },
        {
          name: 'node:http and undici, nothing checked',
          server: onOneCore(bare.server),
          request: theirs(bare.url),
          atLeast: 0.8,
        },
      ],
      say,
    );
  } finally {
    await upstream.server.stop();
  }
};
