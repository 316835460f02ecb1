import {
  InvalidValue,
  parseFrontProxies,
  parseList,
  parseListen,
  parseNumber,
  type FrontProxy,
  type Read,
} from './values.ts';

export type GatewayConfig = {
  /** Pairs of PEM files for TLS at the public listener; none: a proxy before it does TLS. */
  certificates: { certificate: string; key: string }[];
  /** Where front proxies ask, and who they are; undefined: nowhere. */
  decisions: { listen: { host: string; port: number }; proxies: FrontProxy[] } | undefined;
  /** What one upstream may take of the gateway, and how long it may take. */
  upstreams: {
    /** At a time, for each team; as many WebSockets beside. */
    connections: number;
    /** Requests that wait for one of them; more are answered with 503. */
    queue: number;
    connectSeconds: number;
    /** From the end of the request to the head of the answer. */
    answerSeconds: number;
    /** Between two pieces of a body; 0: as long as it takes. */
    idleSeconds: number;
  };
  /** How long running requests may go on when the process is to end. */
  drainSeconds: number;
};

/** The decision listener and who may ask there. */
export function parseDecisions(
  read: Read,
  problems: { name: string; problem: string }[],
  roles: readonly string[],
): GatewayConfig['decisions'] {
  const before = problems.length;
  const listen = read<FrontProxyListen>('TESSERA_DECISION_LISTEN', parseListen, undefined);
  const proxies = read('TESSERA_DECISION_PROXIES', parseFrontProxies, []);
  // What cannot be read is told of already; that it is missing as well would be untrue.
  if (problems.length > before || (listen === undefined && proxies.length === 0)) return undefined;
  const problem =
    listen === undefined
      ? 'is missing, but TESSERA_DECISION_PROXIES is set; give the host:port at which they ask'
      : proxies.length === 0
        ? 'is set, but no proxy may ask there; name them in TESSERA_DECISION_PROXIES'
        : roles.includes('gateway')
          ? undefined
          : 'is set, but this process is no gateway (TESSERA_ROLES)';
  if (problem !== undefined) problems.push({ name: 'TESSERA_DECISION_LISTEN', problem });
  return listen === undefined ? undefined : { listen, proxies };
}

type FrontProxyListen = { host: string; port: number } | undefined;

export function parseUpstreams(read: Read): GatewayConfig['upstreams'] {
  const seconds = (given: string) => parseNumber(given, 1, 86_400);
  return {
    connections: read('TESSERA_UPSTREAM_CONNECTIONS', (given) => parseNumber(given, 1, 100_000), 512),
    queue: read('TESSERA_UPSTREAM_QUEUE', (given) => parseNumber(given, 0, 1_000_000), 1_024),
    connectSeconds: read('TESSERA_UPSTREAM_CONNECT_SECONDS', seconds, 5),
    answerSeconds: read('TESSERA_UPSTREAM_ANSWER_SECONDS', seconds, 120),
    idleSeconds: read('TESSERA_UPSTREAM_IDLE_SECONDS', (given) => parseNumber(given, 0, 86_400), 0),
  };
}

/** `CERTIFICATE:KEY, …`: paths of PEM files. */
export function parseCertificates(text: string): GatewayConfig['certificates'] {
  return parseList(text).map((pair) => {
    const [certificate = '', key = '', ...more] = pair.split(':');
    if (certificate === '' || key === '' || more.length > 0) {
      throw new InvalidValue(`'${pair}' is not CERTIFICATE:KEY, two paths of PEM files`);
    }
    return { certificate, key };
  });
}
