import { join } from 'node:path';
import { isValidWirePrefix } from '@tessera/protocol';
import { parseCertificates, parseDecisions, parseUpstreams, type GatewayConfig } from './gateway-config.ts';
import { configNames, nearestName, type ConfigName } from './names.ts';
import {
  InvalidValue,
  isDevelopmentHost,
  parseBaseUrl,
  parseDnsServers,
  parseDomain,
  parseList,
  parseListen,
  parseNumber,
  parseRanges,
  parseWord,
  parseWorkloadListen,
  type Read,
} from './values.ts';

export type Config = GatewayConfig & {
  /** Base URLs of the roles, without a trailing slash. Nothing else decides an issuer or a link. */
  urls: { origin: string; api: string; oidc: string; passport: string; connect: string };
  /** Where deployments live; undefined only when this process is no gateway. `port` is '' when it is the default. */
  deployments: { protocol: 'http:' | 'https:'; domain: string; port: string } | undefined;
  /** The origin is plain http on loopback or below `.localhost`. */
  development: boolean;
  listen: { host: string; port: number };
  operationsListen: { host: string; port: number };
  /** Where running deployments get their tokens: on this machine alone; undefined: nowhere. */
  workloadListen: { host: string; port: number; socketPath: string | undefined } | undefined;
  /** The token service that gives running deployments credentials of AWS; undefined: none. */
  stsUrl: string | undefined;
  database: { dialect: 'sqlite'; path: string } | { dialect: 'postgres'; connectionString: string };
  dataFolder: string;
  masterKey:
    | { from: 'value'; text: string }
    | { from: 'file'; path: string }
    | { from: 'data'; path: string };
  trustProxy: string[];
  /** Ranges for every team, and ranges for single teams by slug. */
  upstreamAllow: { all: string[]; byTeam: ReadonlyMap<string, string[]> };
  allowPrivateHosts: string[];
  /** The resolvers that are asked for the proof of a domain, `address` or `address:port`; none: the system's. */
  dnsServers: string[];
  wirePrefix: string;
  roles: ('identity' | 'gateway')[];
  /** The public client of the command line; undefined: there is none. */
  cliClientId: string | undefined;
  /** Clients that register themselves; undefined: none may. */
  registration: { initialAccessToken: string | undefined; most: number; days: number } | undefined;
  /** Whether an https URL can be a client id, whose metadata document is then read. */
  clientIdDocuments: boolean;
  /** Whether introspection answers whoever presents an access token alone. */
  openIntrospection: boolean;
  /** How signing keys are rotated; `rotateSeconds` undefined: by hand alone. */
  keys: { publishSeconds: number; retireSeconds: number; rotateSeconds: number | undefined };
  smtpUrl: string | undefined;
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
};

/** One thing that is wrong: the name, what was received and what was expected. Never a secret value. */
export type ConfigProblem = { name: string; problem: string };

export type ConfigResult = { config: Config; warnings: ConfigProblem[] } | { problems: ConfigProblem[] };

/** Reads the whole configuration and lists every problem at once. Names beginning with TESSERA_ must be known. */
export function parseConfig(environment: Readonly<Record<string, string | undefined>>): ConfigResult {
  const problems: ConfigProblem[] = [];
  const warnings: ConfigProblem[] = [];

  for (const name of Object.keys(environment)) {
    if (!name.startsWith('TESSERA_') || name in configNames) continue;
    const nearest = nearestName(name);
    problems.push({
      name,
      problem: `is no name of the configuration${nearest === undefined ? '' : `; did you mean ${nearest}?`}`,
    });
  }

  const text = (name: ConfigName): string | undefined => environment[name]?.trim() || undefined;
  /** Reads one value; a problem is noted and the fallback lets the reading go on, so that all problems show. */
  const read: Read = (name, parse, fallback) => {
    const given = text(name);
    if (given === undefined) return fallback;
    try {
      return parse(given);
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      problems.push({ name, problem: error.message });
      return fallback;
    }
  };

  const listen = read('TESSERA_LISTEN', parseListen, { host: '127.0.0.1', port: 4000 });
  const publicUrl = read('TESSERA_PUBLIC_URL', parseBaseUrl, `http://localhost:${listen.port}`);
  const urls = {
    origin: read('TESSERA_ORIGIN_URL', parseBaseUrl, publicUrl),
    api: read('TESSERA_API_URL', parseBaseUrl, `${publicUrl}/api`),
    oidc: read('TESSERA_OIDC_URL', parseBaseUrl, `${publicUrl}/oidc`),
    passport: read('TESSERA_PASSPORT_URL', parseBaseUrl, `${publicUrl}/passport`),
    connect: read('TESSERA_CONNECT_URL', parseBaseUrl, `${publicUrl}/connect`),
  };
  if (new Set(Object.values(urls)).size < 5) {
    problems.push({ name: 'TESSERA_…_URL', problem: 'two roles have the same base URL; each needs its own' });
  }
  const origin = new URL(urls.origin);
  const development = origin.protocol === 'http:';

  const roles = read(
    'TESSERA_ROLES',
    (given) => parseList(given).map((role) => parseWord(role, ['identity', 'gateway'])),
    ['identity', 'gateway'] as Config['roles'],
  );
  const domain = read('TESSERA_DEPLOYMENT_DOMAIN', parseDomain, development ? 'app.localhost' : undefined);
  if (text('TESSERA_DEPLOYMENT_DOMAIN') === undefined && domain === undefined && roles.includes('gateway')) {
    problems.push({
      name: 'TESSERA_DEPLOYMENT_DOMAIN',
      problem: 'is missing; the gateway cannot guess it (a domain of its own, such as example.app)',
    });
  }
  if (
    domain !== undefined &&
    !isDevelopmentHost(origin.hostname) &&
    sharesRegistrableDomain(domain, origin.hostname)
  ) {
    warnings.push({
      name: 'TESSERA_DEPLOYMENT_DOMAIN',
      problem: `${domain} shares a registrable domain with ${origin.hostname}: deployments are then same-site with the login; choose a domain of its own`,
    });
  }
  const isRoleHost = Object.values(urls).some((url) => {
    const { hostname } = new URL(url);
    return domain !== undefined && (hostname === domain || hostname.endsWith(`.${domain}`));
  });
  if (isRoleHost) {
    problems.push({
      name: 'TESSERA_DEPLOYMENT_DOMAIN',
      problem: 'contains the host of a role; a deployment could then be given that host',
    });
  }

  const dataFolder = text('TESSERA_DATA') ?? 'data';
  const value = text('TESSERA_MASTER_KEY');
  const file = text('TESSERA_MASTER_KEY_FILE');
  if (value !== undefined && file !== undefined) {
    problems.push({
      name: 'TESSERA_MASTER_KEY',
      problem: 'is given twice, as a value and as a file; give one',
    });
  }
  const database = read<Config['database']>('TESSERA_DATABASE_URL', parseDatabase, {
    dialect: 'sqlite',
    path: join(dataFolder, 'tessera.db'),
  });
  if (database.dialect === 'postgres' && value === undefined && file === undefined) {
    problems.push({
      name: 'TESSERA_MASTER_KEY',
      problem:
        'is missing; with PostgreSQL every node needs the same key, so it is not made by itself (openssl rand -base64 32)',
    });
  }

  if (text('TESSERA_SMTP_URL') !== undefined) {
    warnings.push({ name: 'TESSERA_SMTP_URL', problem: 'is checked, but nothing sends mail yet' });
  }

  const config: Config = {
    urls,
    deployments:
      domain === undefined
        ? undefined
        : { protocol: origin.protocol as 'http:' | 'https:', domain, port: origin.port },
    development,
    listen,
    certificates: read('TESSERA_TLS_CERTIFICATES', parseCertificates, []),
    decisions: parseDecisions(read, problems, roles),
    upstreams: parseUpstreams(read),
    drainSeconds: read('TESSERA_DRAIN_SECONDS', (given) => parseNumber(given, 0, 3_600), 10),
    operationsListen: read('TESSERA_OPERATIONS_LISTEN', parseListen, { host: '127.0.0.1', port: 4001 }),
    workloadListen: read<Config['workloadListen']>('TESSERA_WORKLOAD_LISTEN', parseWorkloadListen, undefined),
    stsUrl: read<string | undefined>('TESSERA_STS_URL', parseBaseUrl, undefined),
    database,
    dataFolder,
    masterKey:
      value !== undefined
        ? { from: 'value', text: value }
        : file !== undefined
          ? { from: 'file', path: file }
          : { from: 'data', path: join(dataFolder, 'master-key') },
    trustProxy: read('TESSERA_TRUST_PROXY', parseRanges, []),
    upstreamAllow: read('TESSERA_UPSTREAM_ALLOW', parseUpstreamAllow, {
      all: development ? ['127.0.0.0/8', '::1'] : [],
      byTeam: new Map(),
    }),
    allowPrivateHosts: read('TESSERA_ALLOW_PRIVATE_HOSTS', parseHosts, []),
    dnsServers: read('TESSERA_DNS_SERVERS', parseDnsServers, []),
    wirePrefix: read('TESSERA_WIRE_PREFIX', parseWirePrefix, 'vercel'),
    roles,
    cliClientId: read<string | undefined>(
      'TESSERA_CLI_CLIENT_ID',
      parseCliClientId,
      'cl_HYyOPBNtFMfHhaUn9L4QPfTZz6TP47bp',
    ),
    registration: parseRegistration(read, problems),
    clientIdDocuments: read('TESSERA_CLIENT_ID_DOCUMENTS', parseSwitch, false),
    openIntrospection: read('TESSERA_OPEN_INTROSPECTION', parseSwitch, false),
    keys: parseKeyPolicy(read),
    smtpUrl: read('TESSERA_SMTP_URL', parseSmtpUrl, undefined),
    logLevel: read(
      'TESSERA_LOG_LEVEL',
      (given) => parseWord(given, ['debug', 'info', 'warn', 'error', 'silent']),
      'info' as const,
    ),
  };
  return problems.length > 0 ? { problems } : { config, warnings };
}

function parseRegistration(read: Read, problems: ConfigProblem[]): Config['registration'] {
  const initialAccessToken = read<string | undefined>(
    'TESSERA_REGISTRATION_TOKEN',
    parseInitialAccessToken,
    undefined,
  );
  const most = read('TESSERA_REGISTRATION_QUOTA', (given) => parseNumber(given, 1, 1_000_000), 1_000);
  const days = read('TESSERA_REGISTRATION_DAYS', (given) => parseNumber(given, 1, 3_650), 90);
  if (read('TESSERA_DYNAMIC_REGISTRATION', parseSwitch, false)) return { initialAccessToken, most, days };
  if (initialAccessToken !== undefined) {
    problems.push({
      name: 'TESSERA_REGISTRATION_TOKEN',
      problem: 'is set, but TESSERA_DYNAMIC_REGISTRATION is off; set that to on, or leave this out',
    });
  }
  return undefined;
}

const day = 86_400;
/** The `max-age` of key sets and five minutes: no cached key set is without a key that signs. */
const leastPublishSeconds = 900;
const leastRetireSeconds = 300;

function parseKeyPolicy(read: Read): Config['keys'] {
  return {
    publishSeconds: read(
      'TESSERA_KEY_PUBLISH_SECONDS',
      (given) => parseNumber(given, leastPublishSeconds, 30 * day),
      day,
    ),
    retireSeconds: read(
      'TESSERA_KEY_RETIRE_SECONDS',
      (given) => parseNumber(given, leastRetireSeconds, 365 * day),
      day,
    ),
    rotateSeconds: read<number | undefined>(
      'TESSERA_KEY_ROTATION_DAYS',
      (given) => (given === 'off' ? undefined : parseNumber(given, 1, 3_650) * day),
      90 * day,
    ),
  };
}

function parseInitialAccessToken(text: string): string {
  // Whoever has it fills our tables: it must not be guessed. The value is a secret, so it is not repeated.
  if (!/^[A-Za-z0-9._~+/=-]{32,512}$/.test(text)) {
    throw new InvalidValue(
      'is not a token: expected 32 to 512 of A-Z a-z 0-9 . _ ~ + / = - (openssl rand -base64 32)',
    );
  }
  return text;
}

function parseCliClientId(text: string): string | undefined {
  if (text === 'off') return undefined;
  if (/^cl_[0-9A-Za-z]{24,64}$/.test(text)) return text;
  throw new InvalidValue(`'${text}' is no client id: expected cl_ and 24 to 64 of A-Z a-z 0-9, or off`);
}

function parseSwitch(text: string): boolean {
  return parseWord(text, ['on', 'off']) === 'on';
}

function parseDatabase(text: string): Config['database'] {
  if (text.startsWith('sqlite:') && text.length > 'sqlite:'.length) {
    return { dialect: 'sqlite', path: text.slice('sqlite:'.length) };
  }
  if (/^postgres(?:ql)?:\/\//.test(text)) return { dialect: 'postgres', connectionString: text };
  // The value may hold a password, so it is not repeated.
  throw new InvalidValue('has neither form: expected sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME');
}

function parseUpstreamAllow(text: string): Config['upstreamAllow'] {
  const all: string[] = [];
  const byTeam = new Map<string, string[]>();
  for (const item of parseList(text)) {
    const [first = '', range] = item.split('=');
    if (range === undefined) all.push(...parseRanges(first));
    else byTeam.set(first, [...(byTeam.get(first) ?? []), ...parseRanges(range)]);
  }
  return { all, byTeam };
}

function parseHosts(text: string): string[] {
  return parseList(text).map((host) => {
    if (!/^(?:\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::\d{1,5})?$/i.test(host)) {
      throw new InvalidValue(`'${host}' is not a host or host:port`);
    }
    return host.toLowerCase();
  });
}

function parseWirePrefix(text: string): string {
  if (!isValidWirePrefix(text)) throw new InvalidValue(`'${text}' is not a prefix: a-z, then a-z, 0-9 and -`);
  return text;
}

function parseSmtpUrl(text: string): string {
  if (!/^smtps?:\/\/[^\s]+$/.test(text))
    throw new InvalidValue('is not smtp://HOST:PORT or smtps://HOST:PORT');
  return text;
}

/** The last two labels stand in for the public suffix list: the warning may come too often, never too seldom. */
function sharesRegistrableDomain(one: string, other: string): boolean {
  const lastLabels = (domain: string) => domain.split('.').slice(-2).join('.');
  return lastLabels(one) === lastLabels(other);
}
