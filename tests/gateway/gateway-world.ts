import { randomBytes } from 'node:crypto';
import { wireNames } from '@tessera/protocol';
import {
  attemptMigrations,
  createAttempts,
  passportHandOffLifetimeMilliseconds,
  passportHandOffPurpose,
  passportStartPurpose,
  type PassportHandOff,
  type PassportStart,
  type Principal,
} from '../../packages/server/src/attempts/index.ts';
import { auditMigrations, createAudit } from '../../packages/server/src/audit/index.ts';
import { changeMigrations, createChanges } from '../../packages/server/src/changes/index.ts';
import { createShiftedClock } from '../../packages/server/src/clock/index.ts';
import { codeMigrations, createCodes } from '../../packages/server/src/codes/index.ts';
import { migrate, openDatabase, type Database } from '../../packages/server/src/database/index.ts';
import { createUpstreamAddresses } from '../../packages/server/src/deployments/index.ts';
import { createGateway, type GatewayNeeds, type Site } from '../../packages/server/src/gateway/index.ts';
import { createClientAddress, listen, type ListenNeeds } from '../../packages/server/src/http/index.ts';
import { createKeys, keyMigrations } from '../../packages/server/src/keys/index.ts';
import { createLimits, limitMigrations } from '../../packages/server/src/limits/index.ts';
import { createSilentLogger } from '../../packages/server/src/logger/index.ts';
import { createPasswords } from '../../packages/server/src/passwords/index.ts';
import { bypassMigrations, createBypasses } from '../../packages/server/src/protection/index.ts';
import { createSealing } from '../../packages/server/src/sealing/index.ts';
import { createVisitors, visitorMigrations } from '../../packages/server/src/visitors/index.ts';
import { createWorkloads, workloadTokenMigrations } from '../../packages/server/src/workloads/index.ts';
import { createCookieJar, type CookieJar } from '../harness/cookie-jar.ts';
import { findFreePort } from '../harness/free-port.ts';
import { send, type Answer, type Sending } from '../harness/send.ts';
import { addressOf, createTestDatabase, type DatabaseKind } from '../harness/test-databases.ts';
import { startEchoUpstream, type EchoUpstream } from './echo-upstream.ts';

export const ada: Principal = {
  externalSub: 'ada|1',
  externalIss: 'https://idp.example',
  email: 'ada@example.com',
  emailVerified: true,
  name: 'Ada',
  claims: { groups: ['staff'] },
};

export type GatewayWorld = Awaited<ReturnType<typeof startGatewayWorld>>;

/**
 * The gateway with its real neighbours over a real database, an upstream that echoes, and deployments kept in memory.
 * The identity provider is left out: a sign-in goes from the start link straight to the hand-off.
 */
export async function startGatewayWorld(
  options: {
    database?: DatabaseKind;
    https?: boolean;
    trustProxy?: readonly string[];
    upstreams?: Partial<GatewayNeeds['upstreams']>;
    drainMilliseconds?: number;
    visitorIdleMilliseconds?: number;
    patience?: ListenNeeds['patience'];
    certificates?: readonly { certificate: string; key: string }[];
  } = {},
) {
  const clock = createShiftedClock();
  const place = await createTestDatabase(options.database ?? 'sqlite');
  const database = openDatabase(addressOf(place), clock);
  await migrate(database, [
    ...codeMigrations,
    ...auditMigrations,
    ...changeMigrations,
    ...keyMigrations,
    ...attemptMigrations,
    ...visitorMigrations,
    ...workloadTokenMigrations,
    ...limitMigrations,
    ...bypassMigrations,
  ]);
  let down: Error | undefined;
  const breakable = breakableDatabase(database, () => down);
  const logger = createSilentLogger();
  const sealing = createSealing(randomBytes(32));
  const limits = createLimits({ database: breakable, sealing });
  const passwords = createPasswords({ parameters: { memory: 64, passes: 1, parallelism: 1 } });
  const keys = createKeys({ database: breakable, sealing, clock, logger });
  await keys.start();
  const codes = createCodes({ database: breakable });
  const audit = createAudit({ database: breakable, clock });
  const attempts = createAttempts({ database: breakable, clock });
  const visitors = createVisitors({
    database: breakable,
    clock,
    changes: createChanges({ database: breakable, clock }),
  });
  // There is no project to hold here: a statement that always changes one row stands in for it.
  const holdProject = (id: string) => limits.count('hold', id, 1_000_000, 60_000);
  const bypasses = createBypasses({
    database: breakable,
    clock,
    audit,
    sealing,
    limits,
    holdProject,
  });
  const port = await findFreePort();
  const base = `http://localhost:${port}`;
  const urls = {
    origin: base,
    api: `${base}/api`,
    oidc: `${base}/oidc`,
    passport: `${base}/passport`,
    connect: `${base}/connect`,
  };
  const workloads = createWorkloads({ database: breakable, clock, audit, keys, limits, urls });
  const upstream = await startEchoUpstream();
  const sites = new Map<string, Site>();
  const wire = wireNames('vercel');
  const gateway = createGateway({
    database: breakable,
    clock,
    logger,
    audit,
    codes,
    keys,
    attempts,
    visitors,
    scheduleRefresh: () => [],
    workloads,
    bypasses,
    trustedSources: { judge: async () => ({ state: 'absent' }) },
    limits,
    sealing,
    visitPasswords: {
      find: async () => undefined,
      verify: passwords.verify,
    },
    deployments: {
      async findByHost(host) {
        if (down !== undefined) throw down;
        return sites.get(host);
      },
    },
    wire,
    urls,
    address:
      options.https === true ? { protocol: 'https:', port: '' } : { protocol: 'http:', port: String(port) },
    upstreamAddresses: createUpstreamAddresses({
      allow: { all: ['127.0.0.0/8', '::1'], byTeam: new Map() },
      ownPorts: () => [port],
    }),
    upstreams: {
      connections: 512,
      queue: 1_024,
      connectSeconds: 5,
      answerSeconds: 120,
      idleSeconds: 0,
      ...options.upstreams,
    },
    drainMilliseconds: options.drainMilliseconds ?? 1_000,
    ...(options.visitorIdleMilliseconds === undefined
      ? {}
      : { visitorIdleMilliseconds: options.visitorIdleMilliseconds }),
  });
  const clientAddress = createClientAddress(options.trustProxy ?? []);
  const listening = {
    host: '127.0.0.1',
    drainMilliseconds: options.drainMilliseconds ?? 1_000,
    findApplication: () => undefined,
    clientAddress,
    requestIdHeader: wire.requestIdHeader,
    logger,
    ...(options.patience === undefined ? {} : { patience: options.patience }),
  };
  const listeners = [
    await listen({
      ...listening,
      port,
      gateway,
      certificates: options.certificates ?? [],
    }),
  ];

  const site = (host: string, changes: SiteChanges = {}): Site => {
    const made = makeSite(host, upstream, changes);
    sites.set(host, made);
    return made;
  };
  site('a.app.localhost');
  site('b.app.localhost', { deploymentId: 'dpl_b' });
  site('open.app.localhost', { passport: null, projectId: 'prj_open', projectName: 'open' });
  site('other-project.app.localhost', { projectId: 'prj_other', projectName: 'other' });
  site('other-team.app.localhost', { teamId: 'team_other', teamSlug: 'other' });

  const originOf = (host: string) => (options.https === true ? `https://${host}` : `http://${host}:${port}`);
  const hostHeader = (host: string) => originOf(host).replace(/^https?:\/\//, '');

  /** Sends to the gateway, for a host, whatever the protocol of its address is. */
  async function ask(
    host: string,
    path: string,
    sending: Sending & { jar?: CookieJar } = {},
  ): Promise<Answer> {
    const { jar, headers = {}, ...rest } = sending;
    const url = new URL(originOf(host));
    const cookie = jar?.header(url);
    const list = Array.isArray(headers) ? [...(headers as string[])] : Object.entries(headers).flat();
    const named = (name: string) =>
      list.some((each, index) => index % 2 === 0 && each.toLowerCase() === name);
    if (!named('host')) list.push('host', hostHeader(host));
    if (cookie !== undefined) list.push('cookie', cookie);
    const answer = await send(`http://127.0.0.1:${port}${path}`, { ...rest, headers: list });
    jar?.store(url, answer.headers['set-cookie']);
    return answer;
  }

  const navigate = (host: string, path: string, jar: CookieJar, headers: Record<string, string> = {}) =>
    ask(host, path, { jar, headers: { ...navigation, ...headers } });

  /** What connect makes of a start link: the hand-off of a person who signed in. */
  async function handOff(location: string | undefined, principal: Principal = ada): Promise<string> {
    const secret = new URL(location ?? '').searchParams.get('code') ?? '';
    const start = await codes.find<PassportStart>(passportStartPurpose, secret);
    if (start?.state !== 'live') throw new Error(`the start link is ${start?.state ?? 'unknown'}`);
    const { bindingHash, ...way } = start.payload;
    const issued = codes.issue<PassportHandOff>(
      passportHandOffPurpose,
      { ...way, companionHash: bindingHash, principal, answeredAt: start.foundAt },
      passportHandOffLifetimeMilliseconds,
    );
    await database.write([codes.redeem(passportStartPurpose, secret), issued.statement]);
    return issued.secret;
  }

  const finishPath = (code: string) => `${wire.finishPath}?code=${code}`;

  /** The whole way of a visitor; their browser's cookies are in the jar. */
  async function signIn(
    host: string,
    jar = createCookieJar(),
    principal: Principal = ada,
  ): Promise<CookieJar> {
    const start = await navigate(host, '/', jar);
    const code = await handOff(start.headers.location, principal);
    const finished = await navigate(host, finishPath(code), jar);
    if (finished.status !== 303) throw new Error(`finish answered ${finished.status}: ${finished.text}`);
    return jar;
  }

  return {
    clock,
    database,
    keys,
    codes,
    attempts,
    visitors,
    bypasses,
    limits,
    upstream,
    site,
    sites,
    port,
    urls,
    wire,
    ask,
    navigate,
    handOff,
    finishPath,
    signIn,
    originOf,
    hostHeader,
    breakDatabase(error: Error | undefined) {
      down = error;
    },
    /** Opens the listener at which these front proxies ask, and gives its port. */
    async listenForDecisions(frontProxies: Parameters<typeof gateway.decisions>[0]): Promise<number> {
      const decisions = gateway.decisions(frontProxies, clientAddress);
      const listener = await listen({ ...listening, port: 0, gateway: decisions });
      listeners.push(listener);
      return listener.port;
    },
    /** As the process ends: listeners and gateway together. */
    async drain() {
      await Promise.all([...listeners.map((listener) => listener.close()), gateway.close()]);
    },
    async close() {
      await gateway.close();
      for (const listener of listeners) await listener.close();
      await upstream.close();
      await database.close();
      await place.remove();
    },
  };
}

export const navigation = {
  accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
  'sec-fetch-site': 'none',
};

export type SiteChanges = {
  upstream?: string;
  deploymentId?: string;
  environment?: string;
  hostKind?: Site['hostKind'];
  projectId?: string;
  projectName?: string;
  teamId?: string;
  teamSlug?: string;
  passport?: Partial<NonNullable<Site['project']['passport']>> | null;
  protection?: Site['project']['protection'];
};

function makeSite(host: string, upstream: EchoUpstream, changes: SiteChanges): Site {
  return {
    host,
    hostKind: changes.hostKind ?? 'alias',
    deployment: {
      id: changes.deploymentId ?? 'dpl_a',
      environment: changes.environment ?? 'production',
      upstream: changes.upstream ?? upstream.origin,
      git: undefined,
    },
    project: {
      id: changes.projectId ?? 'prj_a',
      name: changes.projectName ?? 'a',
      environments: ['production', 'preview', 'development'],
      oidcTokenConfig: { enabled: true, issuerMode: 'team', subjectForm: 'names', audiences: [] },
      passport:
        changes.passport === null
          ? undefined
          : {
              connectorId: 'scl_a',
              deploymentType: 'all',
              sessionLifetimeSeconds: 3_600,
              sessionIdleSeconds: null,
              policy: 'everyone',
              ...changes.passport,
            },
      protection: changes.protection ?? {},
    },
    team: {
      id: changes.teamId ?? 'team_a',
      slug: changes.teamSlug ?? 'acme',
      workloadAlgorithm: 'RS256',
      passportEnabled: true,
    },
  };
}

/** The same database, until a test says that it does not answer. */
function breakableDatabase(database: Database, failure: () => Error | undefined): Database {
  const guarded =
    <Arguments extends unknown[], Result>(work: (...given: Arguments) => Promise<Result>) =>
    async (...given: Arguments): Promise<Result> => {
      const error = failure();
      if (error !== undefined) throw error;
      return work(...given);
    };
  return {
    ...database,
    find: guarded(database.find),
    list: guarded(database.list),
    write: guarded(database.write),
    tryWrite: guarded(database.tryWrite),
  };
}
