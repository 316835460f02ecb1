import { LRUCache } from 'lru-cache';
import { Pool } from 'undici';
import type { Connector } from './connector.ts';

export type Pools = {
  /** Connections to one upstream for one team, kept alive between requests. */
  find(origin: string, teamSlug: string): Pool;
  /** Lets running requests end, and cuts what is left after 10 s. */
  close(): Promise<void>;
};

const mostUpstreams = 2_000;
const connectionsPerUpstream = 512;
const drainMilliseconds = 10_000;
const answerTimeoutMilliseconds = 120_000;

/** Per team, because teams may be allowed different addresses: a connection is never another team's. */
export function createPools(connector: Connector): Pools {
  const closing = new Set<Promise<void>>();
  const pools = new LRUCache<string, Pool>({
    max: mostUpstreams,
    dispose(pool) {
      // Lets running requests end.
      const closed = pool.close().finally(() => closing.delete(closed));
      closing.add(closed);
    },
  });
  return {
    find(origin, teamSlug) {
      const key = `${teamSlug} ${origin}`;
      let pool = pools.get(key);
      if (pool === undefined) {
        pool = new Pool(origin, {
          connect: connector.forPool(teamSlug),
          connections: connectionsPerUpstream,
          pipelining: 1,
          allowH2: false,
          headersTimeout: answerTimeoutMilliseconds,
          // Server-sent events and long downloads may be silent for long; the visitor leaving ends them.
          bodyTimeout: 0,
          keepAliveTimeout: 4_000,
          maxHeaderSize: 64 * 1024,
        });
        pools.set(key, pool);
      }
      return pool;
    },
    async close() {
      const open = [...pools.values()];
      const cut = setTimeout(() => {
        for (const pool of open) void pool.destroy();
      }, drainMilliseconds);
      await Promise.all([...open.map((pool) => pool.close()), ...closing]);
      clearTimeout(cut);
    },
  };
}
