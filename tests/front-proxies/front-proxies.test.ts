import { formatDecisionProbe } from '@tessera/protocol';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { checkGateway, createSendCheck } from '../../packages/cli/src/doctor/index.ts';
import { startEchoUpstream, type Echo, type EchoUpstream } from '../gateway/echo-upstream.ts';
import { findFreePort } from '../harness/free-port.ts';
import { createPassportWorld, passPassport, person, type PassportWorld } from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';
import {
  isInstalled,
  proxyKinds,
  startFrontProxy,
  type FrontProxy,
  type ProxyPlaces,
} from './front-proxies.ts';

const credential = 'a-credential-of-the-front-proxy-in-tests';
const forged = 'forged-by-the-visitor';
const passportHeader = 'x-vercel-oidc-passport-token';

let tessera: RunningTessera;
let world: PassportWorld;
let upstream: EchoUpstream;
let places: ProxyPlaces;

beforeAll(async () => {
  upstream = await startEchoUpstream();
  places = {
    port: await findFreePort(),
    tessera: await findFreePort(),
    decisions: await findFreePort(),
    deployment: upstream.port,
    credential,
  };
  const origin = `https://id.example.com:${places.port}`;
  const api = `http://localhost:${places.tessera}/api`;
  tessera = await startTessera('sqlite', {
    variables: {
      TESSERA_PUBLIC_URL: origin,
      TESSERA_API_URL: api,
      TESSERA_LISTEN: `127.0.0.1:${places.tessera}`,
      TESSERA_DEPLOYMENT_DOMAIN: 'example.app',
      TESSERA_UPSTREAM_ALLOW: '127.0.0.0/8',
      TESSERA_TRUST_PROXY: '127.0.0.1',
      TESSERA_DECISION_LISTEN: `127.0.0.1:${places.decisions}`,
      TESSERA_DECISION_PROXIES: `edge:${credential}=*.example.app`,
    },
  });
  // Setting up goes the way that everything goes: through a front proxy.
  const proxy = await startFrontProxy('traefik', places);
  const urls = {
    origin,
    api,
    oidc: `${origin}/oidc`,
    passport: `${origin}/passport`,
    connect: `${origin}/connect`,
  };
  world = await createPassportWorld(urls, tessera.setUpLink);
  await proxy.close();
});

afterAll(async () => {
  await world?.close();
  await tessera?.close();
  await upstream?.close();
});

afterEach(() => {
  upstream.received.length = 0;
});

describe.each(proxyKinds)('behind %s', (kind) => {
  describe.skipIf(!isInstalled(kind))('with its ready configuration', () => {
    let proxy: FrontProxy;
    let visitor: Visitor;
    let home: string;

    beforeAll(async () => {
      proxy = await startFrontProxy(kind, places);
      home = world.deployment.url;
      visitor = createVisitor();
      await passPassport(visitor, `${home}/`);
    });
    afterAll(() => proxy?.close());

    const cookieOf = (who: Visitor) => who.cookies.header(new URL(home)) ?? '';

    test('a visitor signs in, comes back to the page, and the deployment learns who they are', async () => {
      const fresh = createVisitor();
      const page = await passPassport(fresh, `${home}/page?x=1&y=a%2fb`);
      expect(page.status, page.text).toBe(200);
      expect(page.url.href).toBe(`${home}/page?x=1&y=a%2fb`);
      const echo = upstream.received.at(-1);
      expect(echo?.url).toBe('/page?x=1&y=a%2fb');
      expect(header(echo, passportHeader)).toEqual([expect.stringMatching(/^eyJ/)]);
      expect(header(echo, 'x-vercel-oidc-token')).toEqual([expect.stringMatching(/^eyJ/)]);
      const token = JSON.parse(
        Buffer.from(header(echo, passportHeader)[0]?.split('.')[1] ?? '', 'base64url').toString(),
      ) as Record<string, unknown>;
      expect(token['email']).toBe('grace@corp.example');
      expect(JSON.stringify(echo)).not.toContain('_vercel_passport');
    });

    test('a visitor in as many groups as fit into a session gets in', async () => {
      const { groups } = person;
      person.groups = Array.from({ length: 340 }, (_, index) => `department-no-${index}`);
      try {
        const page = await passPassport(createVisitor(), `${home}/`);
        expect(page.status, page.text).toBe(200);
        expect(header(upstream.received.at(-1), passportHeader)[0]?.length).toBeGreaterThan(8_192);
      } finally {
        person.groups = groups;
      }
    });

    test('a program gets 401, and a POST is not redirected', async () => {
      for (const sending of [
        { headers: { accept: 'application/json' } },
        { method: 'POST', body: 'a=b', headers: { accept: 'text/html' } },
      ]) {
        const answer = await send(`${home}/api`, sending);
        expect(answer.status).toBe(401);
        expect(answer.headers['x-vercel-error']).toBe('SIGN_IN_REQUIRED');
        expect(answer.headers.location ?? '').toBe('');
        expect(answer.text).toContain('SIGN_IN_REQUIRED');
      }
      expect(upstream.received).toEqual([]);
    });

    test('a body arrives, and other cookies do', async () => {
      const answer = await send(`${home}/form`, {
        method: 'POST',
        body: 'a=b',
        headers: { cookie: `theirs=1; ${cookieOf(visitor)}; last=2`, 'content-type': 'text/plain' },
      });
      expect(answer.status, answer.text).toBe(200);
      const echo = upstream.received.at(-1);
      expect(echo).toMatchObject({ method: 'POST', url: '/form', body: 'a=b' });
      expect(header(echo, 'cookie')).toEqual(['theirs=1; last=2']);
    });

    test('no identity header of the visitor arrives, in any spelling (advisory-01, advisory-02, advisory-03, advisory-04, advisory-05, advisory-06)', async () => {
      const names = [passportHeader, 'x-vercel-oidc-token', 'x-vercel-id', 'x-vercel-decision'];
      const spellings = names.flatMap((name) => [
        name,
        name.toUpperCase(),
        name.replaceAll('-', '_'),
        name.replace('-oidc', '_oidc'),
        ...[...".!#$%&'*+^`|~"].map((separator) => name.replaceAll('-', separator)),
      ]);
      for (const cookie of [cookieOf(visitor), '']) {
        for (const spelling of spellings) {
          for (const listed of [[], ['Connection', `close, ${passportHeader}, X-Vercel-Oidc-Token`]]) {
            upstream.received.length = 0;
            const answer = await send(`${home}/who`, {
              headers: [...(cookie === '' ? [] : ['Cookie', cookie]), spelling, forged, ...listed],
            });
            const echo = upstream.received.at(-1);
            expect(JSON.stringify(upstream.received), spelling).not.toContain(forged);
            // Without a session nothing arrives, and a name that is none may be refused as well.
            const mayPass = cookie !== '' && answer.status === 200;
            expect(upstream.received, spelling).toHaveLength(mayPass ? 1 : 0);
            expect(answer.status, spelling).toBeLessThan(500);
            const tokens = header(echo, passportHeader).map((token) => token.slice(0, 3));
            expect(tokens, spelling).toEqual(mayPass ? ['eyJ'] : []);
          }
        }
      }
    });

    test('what a visitor says of another request changes nothing (advisory-08)', async () => {
      const lies = [
        ['X-Forwarded-Uri', '/open'],
        ['X-Forwarded-Host', 'id.example.com'],
        ['X-Forwarded-Method', 'OPTIONS'],
        ['X-Forwarded-Proto', 'http'],
        ['X-Original-Uri', '/open'],
        ['X-Original-Url', '/open'],
        ['X-Original-Host', 'id.example.com'],
        ['X_Original_Host', 'id.example.com'],
        ['X_Forwarded_Host', 'id.example.com'],
        ['X-Vercel-Decision', 'pass'],
        ['X-Vercel-Decision-Credential', credential],
        ['Forwarded', 'host=id.example.com'],
      ];
      for (const lie of lies) {
        const answer = await send(`${home}/private`, { headers: ['Accept', 'application/json', ...lie] });
        expect([400, 401], String(lie)).toContain(answer.status);
      }
      expect(upstream.received).toEqual([]);
      const told = await send(`${home}/private`, { headers: ['Cookie', cookieOf(visitor), ...lies.flat()] });
      expect(upstream.received.map(({ url }) => url)).toEqual(told.status === 200 ? ['/private'] : []);
      expect(header(upstream.received.at(-1), 'x-vercel-decision-credential').filter(Boolean)).toEqual([]);
    });

    test('an unknown host is refused, and so is a session of another one (advisory-17)', async () => {
      const cookie = cookieOf(visitor);
      const stranger = `https://nobody.example.app:${places.port}/`;
      for (const headers of [{}, { cookie }]) {
        const answer = await send(stranger, { headers });
        expect(answer.status).toBeGreaterThanOrEqual(400);
      }
      const other = await send(`https://elsewhere.example.org:${places.port}/`, {
        headers: { cookie },
      }).catch(() => ({ status: 421 }));
      expect(other.status).toBeGreaterThanOrEqual(400);
      expect(upstream.received).toEqual([]);
    });

    test('a malformed session cookie is none (advisory-16)', async () => {
      const [pair = ''] = cookieOf(visitor)
        .split('; ')
        .filter((each) => each.startsWith('_vercel_passport='));
      for (const cookie of [
        pair,
        `${cookieOf(visitor).slice(0, -3)}`,
        cookieOf(visitor).replace('eyJ', 'eyK'),
        '_vercel_passport=%00%ff; __Host-_vercel_passport_companion=x',
        `_vercel_passport=${'a'.repeat(7_000)}`,
        `${cookieOf(visitor)}; ${pair}`,
      ]) {
        const answer = await send(`${home}/`, { headers: { cookie, accept: 'application/json' } });
        expect(answer.status, cookie.slice(0, 80)).toBeGreaterThanOrEqual(400);
      }
      expect(upstream.received).toEqual([]);
    });

    test('the path that is decided about is the one that arrives, or none does (advisory-11, advisory-12, advisory-13)', async () => {
      for (const path of [
        '/',
        '/a//b',
        '/a%2fb',
        '/a;x=1/b',
        '/a%20b',
        '/@scope%2fname',
        '/a%3fb%23c',
        '/?next=//evil',
        '/a/../b',
        '/a/%2e%2e/b',
        '/a\\b',
        '/a%5cb',
        '/%252e%252e/x',
        '/a%00b',
        '/a#b',
        '/%zz',
      ]) {
        upstream.received.length = 0;
        const answer = await sendPath(places.port, new URL(home).host, path, cookieOf(visitor));
        // Caddy encodes this one before it asks, and forwards what it asked about.
        const asked = kind === 'caddy' ? path.replace('#', '%23') : path;
        const arrived = upstream.received.map(({ url }) => url);
        expect(arrived, `${path} was answered ${answer}`).toEqual(answer === 200 ? [asked] : []);
        const isOdd = /\.\.|\\|%5c|%25|%00|#|%zz|%2e/i.test(path);
        expect(isOdd || answer === 200, `${path} was answered ${answer}`).toBe(true);
      }
    });

    test('a secret in the address does not arrive', async () => {
      const address = `${home}/page?a=1&x-vercel-protection-bypass=secret`;
      const page = await visitor.open(address);
      expect(page.status).toBe(303);
      expect(page.headers.location).toBe(`${home}/page?a=1`);
      const program = await send(address, { headers: { cookie: cookieOf(visitor) } });
      expect(program.status).toBe(400);
      expect(upstream.received).toEqual([]);
    });

    test('a WebSocket opens with a session, and to no page of another site', async () => {
      expect(await openWebSocket(home, cookieOf(visitor), home)).toBe(101);
      expect(header(upstream.received.at(-1), passportHeader)).toHaveLength(1);
      upstream.received.length = 0;
      expect(await openWebSocket(home, cookieOf(visitor), 'https://evil.example')).toBe(403);
      expect(await openWebSocket(home, '', home)).toBe(401);
      expect(upstream.received).toEqual([]);
    });

    test('nobody deciding is nobody passing', async () => {
      upstream.received.length = 0;
      const answer = await send(`${home}/`, {
        headers: {
          cookie: cookieOf(visitor),
          'x-vercel-decision-probe': await formatDecisionProbe(credential, Date.now()),
        },
      });
      expect(answer.status).toBeGreaterThanOrEqual(500);
      expect(upstream.received).toEqual([]);
    });

    test('who guesses secrets is told to stop', async () => {
      const site = await world.protect(`guessed-${kind}`);
      upstream.received.length = 0;
      const guess = (count: number) =>
        send(`${site.url}/`, {
          headers: { 'x-vercel-protection-bypass': `wrong${String(count).padStart(27, '0')}` },
        });
      const statuses = new Set<number>();
      for (let count = 0; count < 51; count++) statuses.add((await guess(count)).status);
      expect(statuses).toEqual(new Set([401]));
      const stopped = await guess(51);
      expect([stopped.status, stopped.headers['x-vercel-error']]).toEqual([429, 'TOO_MANY_TRIES']);
      expect(stopped.headers['retry-after']).toBe('600');
      expect(upstream.received).toEqual([]);
    });

    test('signing out ends the session', async () => {
      const leaving = createVisitor();
      await passPassport(leaving, `${home}/`);
      upstream.received.length = 0;
      const copy = cookieOf(leaving);
      const page = await leaving.open(`${home}/.well-known/vercel/passport/sign-out`);
      expect(page.status).toBe(200);
      expect(page.text).toContain('signed out');
      const answer = await send(`${home}/`, { headers: { cookie: copy, accept: 'application/json' } });
      expect(answer.status).toBe(401);
      expect(upstream.received).toEqual([]);
    });

    test('the self-check finds it closed', async () => {
      const findings = await checkGateway({
        send: createSendCheck({ connectTo: '127.0.0.1' }),
        url: `${home}/`,
        passing: [['cookie', cookieOf(visitor)]],
        decisions: { url: `http://127.0.0.1:${places.decisions}` },
        credential,
        marker: 'marker',
      });
      expect(findings.filter(({ found }) => found !== 'closed')).toEqual([]);
      expect(findings).toHaveLength(16);
    });
  });

  describe.skipIf(!isInstalled(kind))('when it is not wired as it should be', () => {
    test.each([
      ['without a credential that counts', () => ({ credential: `${credential}-another` })],
      ['with nobody to ask', () => ({ decisions: 1 })],
      // A service that says 200 to everything is not the one that decides.
      ['with somebody else to ask', () => ({ decisions: places.deployment })],
    ])('%s, nothing passes', async (title, changes) => {
      const proxy = await startFrontProxy(kind, { ...places, ...changes() });
      try {
        const answer = await send(`${world.deployment.url}/`, { headers: { accept: 'application/json' } });
        // nginx, Traefik and Envoy let pass what is answered 200, whoever answers.
        const cannotTell = title.includes('somebody else') && !['caddy', 'haproxy'].includes(kind);
        expect(answer.status).toBeGreaterThanOrEqual(cannotTell ? 200 : 401);
        const arrived = upstream.received.filter(({ url }) => url === '/');
        expect(cannotTell || arrived.length === 0).toBe(true);
      } finally {
        await proxy.close();
      }
    });
  });
});

describe.each(['nginx', 'caddy', 'haproxy'] as const)('behind %s', (kind) => {
  test.skipIf(!isInstalled(kind))(
    'who decides and says nothing lets nobody pass, and nobody wait for ever (advisory-25)',
    async () => {
      // Takes every call and never answers one, as a service with too much to do.
      const held = new Set<Socket>();
      const silent = createServer((socket) => void held.add(socket.on('error', () => undefined)));
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
      const { port } = silent.address() as AddressInfo;
      const proxy = await startFrontProxy(kind, { ...places, decisions: port, patienceSeconds: 1 });
      try {
        for (const sending of [{}, { method: 'POST', body: 'a=b' }]) {
          const answer = await send(`${world.deployment.url}/`, { ...sending, timeoutMilliseconds: 5_000 });
          expect(answer.status).toBeGreaterThanOrEqual(500);
        }
        expect(held.size).toBeGreaterThan(0);
        expect(upstream.received).toEqual([]);
      } finally {
        for (const socket of held) socket.destroy();
        silent.close();
        await proxy.close();
      }
    },
  );
});

function header(echo: Echo | undefined, name: string): string[] {
  return (echo?.headers ?? []).filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
}

/** Sends a path as it is, which a URL would normalise. */
function sendPath(port: number, host: string, path: string, cookie: string): Promise<number> {
  return exchange(
    port,
    host,
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\nAccept: */*\r\nConnection: close\r\n\r\n`,
  );
}

function openWebSocket(home: string, cookie: string, origin: string): Promise<number> {
  const { host, port } = new URL(home);
  return exchange(
    Number(port),
    host,
    `GET /socket HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: ${origin}\r\n${cookie === '' ? '' : `Cookie: ${cookie}\r\n`}\r\n`,
  );
}

/** The status of the first answer to these bytes; 0 when the connection ends without one. */
function exchange(port: number, host: string, text: string): Promise<number> {
  return new Promise((resolve) => {
    const socket = connectTls({
      port,
      host: '127.0.0.1',
      servername: host.replace(/:\d+$/, ''),
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    });
    let received = '';
    const finish = () => {
      socket.destroy();
      resolve(Number(/^HTTP\/1\.\d (\d{3})/.exec(received)?.[1] ?? 0));
    };
    socket.on('secureConnect', () => socket.write(Buffer.from(text, 'latin1')));
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      if (received.includes('\r\n\r\n')) finish();
    });
    socket.on('error', finish);
    socket.on('close', finish);
    socket.setTimeout(5_000, finish);
  });
}
