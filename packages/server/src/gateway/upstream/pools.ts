import type { Socket } from 'node:net';
import { LRUCache } from 'lru-cache';
import { Pool } from 'undici';
import { publicError } from '#errors';
import type { Connector } from './connector.ts';

/** What one upstream may take of us, and how long it may take. */
export type UpstreamLimits = {
  /** At a time, for each team; as many WebSockets beside. */
  readonly connections: number;
  /** Requests that wait for one of them. */
  readonly queue: number;
  readonly connectSeconds: number;
  readonly answerSeconds: number;
  /** Between two pieces of an answer; 0: as long as it takes. */
  readonly idleSeconds: number;
};

/** Connections to one upstream for one team, kept alive between requests. */
export type Upstream = {
  readonly pool: Pool;
  /** The name that the upstream's certificate must have, whatever `Host` says; undefined without TLS. */
  readonly servername: string | undefined;
  /**
   * A place for a request, to be given back once, when the upstream is done with it. Whoever waits for one that is
   * slow must not take the places of all others.
   *
   * @throws {PublicError} `upstream_busy`
   */
  enter(): () => void;
  /** The same for a WebSocket, which gets a connection of its own. */
  enterSocket(): () => void;
  connect(): Promise<Socket>;
};

export type Pools = {
  find(origin: string, teamSlug: string): Upstream;
  /** Lets running requests end, and cuts what is left when the time is over. */
  close(drainMilliseconds: number): Promise<void>;
};

const mostUpstreams = 2_000;

/** Per team, because teams may be allowed different addresses: a connection is never another team's. */
export function createPools(connector: Connector, limits: UpstreamLimits): Pools {
  /** Those of upstreams that are forgotten are open until their running requests end. */
  const open = new Set<Pool>();
  const close = (pool: Pool) => pool.close().finally(() => open.delete(pool));
  const upstreams = new LRUCache<string, Upstream>({
    max: mostUpstreams,
    dispose: ({ pool }) => void close(pool),
  });
  return {
    find(origin, teamSlug) {
      const key = `${teamSlug} ${origin}`;
      let upstream = upstreams.get(key);
      if (upstream === undefined) {
        upstream = createUpstream(new URL(origin), teamSlug);
        upstreams.set(key, upstream);
        open.add(upstream.pool);
      }
      return upstream;
    },
    async close(drainMilliseconds) {
      const cut = setTimeout(() => {
        for (const pool of open) void pool.destroy();
      }, drainMilliseconds);
      await Promise.all([...open].map(close));
      clearTimeout(cut);
    },
  };

  function createUpstream({ origin, protocol, hostname, host, port }: URL, teamSlug: string): Upstream {
    const connect = connector(origin, teamSlug);
    const servername = protocol === 'https:' ? hostname : undefined;
    return {
      servername,
      pool: new Pool(origin, {
        connect,
        connections: limits.connections,
        pipelining: 1,
        allowH2: false,
        headersTimeout: limits.answerSeconds * 1000,
        // Server-sent events and long downloads may be silent for long; the visitor leaving ends them.
        bodyTimeout: limits.idleSeconds * 1000,
        keepAliveTimeout: 4_000,
        maxHeaderSize: 64 * 1024,
      }),
      enter: createPlaces(limits.connections + limits.queue),
      enterSocket: createPlaces(limits.connections),
      connect: () =>
        new Promise((resolve, reject) => {
          const to = { protocol, hostname, host, port, ...(servername === undefined ? {} : { servername }) };
          connect(to, (error, socket) => {
            if (error === null) resolve(socket);
            else reject(error);
          });
        }),
    };
  }
}

function createPlaces(most: number): () => () => void {
  let taken = 0;
  return () => {
    if (taken >= most) throw publicError('upstream_busy', { headers: { 'retry-after': '1' } });
    taken++;
    let isGivenBack = false;
    return () => {
      if (isGivenBack) return;
      isGivenBack = true;
      taken--;
    };
  };
}
