import { request as requestHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Duplex } from 'node:stream';

type Places = {
  port: number;
  tessera: number;
  decisions: number;
  deployment: number;
  certificate: string;
  key: string;
};

/** What a proxy makes of a visitor's request: the call it asks with, and what it does with the answer. */
type Manner = {
  ask(visit: IncomingMessage): { method: string; path: string; headers: string[] };
  /** The visitor's headers for the upstream, after an answer that lets it pass. */
  forward(visit: IncomingMessage, answer: IncomingMessage): string[];
  /** Which headers of an answer that does not let it pass reach the visitor. */
  mayReachVisitor(name: string): boolean;
};

const ownFolder = '/.well-known/vercel/passport/';
const hopHeaders = new Set(['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade']);

/**
 * A proxy that does with a request what the documentation of Traefik's `forwardAuth` or Envoy's HTTP `ext_authz` says,
 * as far as its ready configuration uses that: Debian has neither. The configuration's own lists are what it goes by.
 */
export async function startStandIn(
  kind: 'traefik' | 'envoy',
  configuration: string,
  places: Places,
): Promise<{ close(): Promise<void> }> {
  const manner = kind === 'traefik' ? mannerOfTraefik(configuration) : mannerOfEnvoy(configuration);

  function routeOf(visit: IncomingMessage): 'tessera' | 'deployment' | undefined {
    const host = (visit.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
    if (host === 'id.example.com') return 'tessera';
    if (!host.endsWith('.example.app')) return undefined;
    return visit.url?.startsWith(ownFolder) === true ? 'tessera' : 'deployment';
  }

  function begin(visit: IncomingMessage, answer: (passed: IncomingMessage | undefined) => void) {
    const { method, path, headers } = manner.ask(visit);
    const asking = requestHttp({ port: places.decisions, host: '127.0.0.1', method, path, headers });
    asking.once('error', () => answer(undefined));
    asking.once('response', answer);
    // Neither hands on a body to decide about.
    asking.end();
  }

  function handOn(visit: IncomingMessage, response: ServerResponse, port: number, headers: string[]): void {
    const outgoing = requestHttp(
      { port, host: '127.0.0.1', method: visit.method, path: visit.url, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(response);
      },
    );
    outgoing.once('error', () => response.writeHead(502).end());
    visit.pipe(outgoing);
  }

  const server = createServer({ cert: places.certificate, key: places.key }, (visit, response) => {
    const route = routeOf(visit);
    if (route === undefined) {
      response.writeHead(404).end();
    } else if (route === 'tessera') {
      handOn(visit, response, places.tessera, withAddress(visit));
    } else {
      begin(visit, (answer) => {
        const status = answer?.statusCode ?? 503;
        if (answer !== undefined && status >= 200 && status < 300) {
          answer.resume();
          handOn(visit, response, places.deployment, manner.forward(visit, answer));
          return;
        }
        const reached = pairs(answer?.rawHeaders ?? []).filter(([name]) => manner.mayReachVisitor(name));
        response.writeHead(status, reached.flat());
        if (answer === undefined) response.end();
        else answer.pipe(response);
      });
    }
  });

  server.on('upgrade', (visit: IncomingMessage, socket: Duplex) => {
    socket.on('error', () => socket.destroy());
    begin(visit, (answer) => {
      answer?.resume();
      if (answer?.statusCode !== 200) {
        socket.end(`HTTP/1.1 ${answer?.statusCode ?? 503} Refused\r\nContent-Length: 0\r\n\r\n`);
        return;
      }
      const headers = [...manner.forward(visit, answer), 'connection', 'upgrade', 'upgrade', 'websocket'];
      const outgoing = requestHttp({
        port: places.deployment,
        host: '127.0.0.1',
        path: visit.url,
        headers,
      });
      outgoing.once('upgrade', (_switched, upstream: Duplex) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
        socket.pipe(upstream);
        upstream.pipe(socket);
        upstream.on('error', () => socket.destroy());
        socket.on('close', () => upstream.destroy());
      });
      outgoing.once('error', () => socket.destroy());
      outgoing.end();
    });
  });

  await new Promise<void>((resolve) => server.listen(places.port, '127.0.0.1', resolve));
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * Traefik: `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri` and `-For` say what was asked, with `trustForwardHeader`
 * off from the connection alone; of the visitor's headers only `authRequestHeaders` come along. Any 2xx passes; then
 * all that match `authResponseHeadersRegex` are taken off the visitor's request before those of the answer are put in.
 * Any other answer goes to the visitor with all of its headers.
 */
function mannerOfTraefik(configuration: string): Manner {
  const list = (key: string) =>
    (new RegExp(`${key}:\\n((?: +- .*\\n)+)`).exec(configuration)?.[1] ?? '')
      .split('\n')
      .map((line) => line.replace(/^ *- /, '').trim().toLowerCase())
      .filter((name) => name !== '');
  const asked = new Set(list('authRequestHeaders'));
  const taken = list('authResponseHeaders');
  const regex = /authResponseHeadersRegex: \(\?i\)(.*)/.exec(configuration)?.[1];
  const credential = /X-Vercel-Decision-Credential: (\S+)/.exec(configuration)?.[1];
  const address = /address: http:\/\/[^/]+(\/\S+)/.exec(configuration)?.[1];
  if (asked.size === 0 || regex === undefined || credential === undefined || address === undefined) {
    throw new Error('traefik.yml is not what the stand-in knows');
  }
  const pattern = new RegExp(regex, 'i');
  return {
    ask(visit) {
      // The middleware `headers` stands before, and has put the credential into the visitor's request.
      const own = [
        ...visitorPairs(visit, 'x-vercel-decision-credential'),
        ['X-Vercel-Decision-Credential', credential],
      ];
      return {
        method: 'GET',
        path: address,
        headers: [
          ...own.filter(([name = '']) => asked.has(name.toLowerCase())),
          ['Host', '127.0.0.1'],
          ['X-Forwarded-Method', visit.method ?? ''],
          ['X-Forwarded-Proto', 'https'],
          ['X-Forwarded-Host', visit.headers.host ?? ''],
          ['X-Forwarded-Uri', visit.url ?? ''],
          ['X-Forwarded-For', visit.socket.remoteAddress ?? ''],
        ].flat(),
      };
    },
    forward(visit, answer) {
      const kept = visitorPairs(visit).filter(
        ([name]) => !pattern.test(name) && !taken.includes(name.toLowerCase()),
      );
      const put = pairs(answer.rawHeaders).filter(
        ([name]) => pattern.test(name) || taken.includes(name.toLowerCase()),
      );
      return [...kept, ...put].flat();
    },
    mayReachVisitor: (name) => !hopHeaders.has(name.toLowerCase()),
  };
}

/**
 * Envoy: method, path behind `path_prefix`, Host and `Content-Length: 0` always come along, of the other headers those
 * in `allowed_headers`, duplicates joined by commas; `headers_to_add` replaces. 200 passes; `allowed_upstream_headers`
 * of the answer replace the visitor's, and `x-envoy-auth-headers-to-remove` names some to take off. Any other answer
 * goes to the visitor with `allowed_client_headers`; a failing service is `status_on_error`.
 */
function mannerOfEnvoy(configuration: string): Manner {
  const section = (from: string, to: string) => {
    const start = configuration.indexOf(from);
    return configuration.slice(start, configuration.indexOf(to, start));
  };
  const matcher = (text: string) => {
    const patterns = [...text.matchAll(/\{ (exact|prefix|contains): (\S+),\s+ignore_case: true \}/g)];
    if (patterns.length === 0) throw new Error('envoy.yaml is not what the stand-in knows');
    return (name: string) =>
      patterns.some(([, how, value = '']) => {
        const lower = name.toLowerCase();
        if (how === 'exact') return lower === value;
        return how === 'prefix' ? lower.startsWith(value) : lower.includes(value);
      });
  };
  const mayAsk = matcher(section(' allowed_headers:', ' http_service:'));
  const mayReplace = matcher(section('allowed_upstream_headers:', 'allowed_client_headers:'));
  const mayReachVisitor = matcher(section('allowed_client_headers:', 'envoy.filters.http.router'));
  const credential = /key: x-vercel-decision-credential,\s+value: ([^\s,}]+)/.exec(configuration)?.[1];
  const prefix = /path_prefix: (\S+)/.exec(configuration)?.[1];
  if (credential === undefined || prefix === undefined) {
    throw new Error('envoy.yaml is not what the stand-in knows');
  }
  return {
    ask(visit) {
      const joined = new Map<string, string>();
      for (const [name, value] of visitorPairs(visit, 'x-vercel-decision-credential')) {
        const lower = name.toLowerCase();
        if (mayAsk(lower)) joined.set(lower, joined.has(lower) ? `${joined.get(lower)},${value}` : value);
      }
      return {
        method: visit.method ?? '',
        path: `${prefix}${visit.url ?? ''}`,
        headers: [
          ['host', visit.headers.host ?? '', 'content-length', '0'],
          ...joined,
          ['x-vercel-decision-credential', credential],
          ['x-original-proto', 'https'],
          ['x-original-address', visit.socket.remoteAddress ?? ''],
        ].flat(),
      };
    },
    forward(visit, answer) {
      const put = pairs(answer.rawHeaders).filter(([name]) => mayReplace(name));
      const gone = new Set([
        ...put.map(([name]) => name.toLowerCase()),
        ...String(answer.headers['x-envoy-auth-headers-to-remove'] ?? '').split(','),
      ]);
      return [...visitorPairs(visit).filter(([name]) => !gone.has(name.toLowerCase())), ...put].flat();
    },
    mayReachVisitor,
  };
}

/** The visitor's headers but those of the connection. */
function visitorPairs(visit: IncomingMessage, but?: string): [string, string][] {
  return pairs(visit.rawHeaders).filter(
    ([name]) => !hopHeaders.has(name.toLowerCase()) && name.toLowerCase() !== but,
  );
}

function withAddress(visit: IncomingMessage): string[] {
  const kept = pairs(visit.rawHeaders).filter(([name]) => !/^x-forwarded-/i.test(name));
  return [...kept.flat(), 'X-Forwarded-For', visit.socket.remoteAddress ?? ''];
}

function pairs(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [
    raw[index * 2] ?? '',
    raw[index * 2 + 1] ?? '',
  ]);
}
