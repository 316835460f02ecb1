import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { writeCertificate } from '../harness/certificate.ts';
import { findFreePort } from '../harness/free-port.ts';
import { openHttp2 } from '../harness/http2.ts';
import {
  createPassportWorld,
  passPassport,
  type PassportWorld,
  type ProtectedDeployment,
} from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';

const credential = 'a-credential-of-a-front-proxy-in-tests';
const clientSecret = 'a secret between the provider and Tessera';
const hour = 3_600_000;

/**
 * A session's cookies as somebody who took them would send them: over HTTP/1.1 and HTTP/2, with a WebSocket, and by way
 * of a front proxy of each dialect.
 */
describe('the cookies of a session, however they are sent (advisory-extra: session of another host, advisory-extra: websockets)', () => {
  const certificate = writeCertificate(['id.example.com', 'localhost', '*.example.app']);
  let tessera: RunningTessera;
  let world: PassportWorld;
  let decisions: number;
  let made = 0;

  beforeAll(async () => {
    // The client of the REST API is Node's own `fetch`.
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    const port = await findFreePort();
    decisions = await findFreePort();
    const origin = `https://id.example.com:${port}`;
    const api = `https://localhost:${port}/api`;
    const { files } = certificate;
    tessera = await startTessera('sqlite', {
      variables: {
        TESSERA_PUBLIC_URL: origin,
        TESSERA_API_URL: api,
        TESSERA_LISTEN: `127.0.0.1:${port}`,
        TESSERA_DEPLOYMENT_DOMAIN: 'example.app',
        TESSERA_UPSTREAM_ALLOW: '127.0.0.0/8',
        TESSERA_TLS_CERTIFICATES: `${files.certificate}:${files.key}`,
        TESSERA_DECISION_LISTEN: `127.0.0.1:${decisions}`,
        TESSERA_DECISION_PROXIES: `edge:${credential}=*.example.app`,
      },
    });
    const [oidc, passport, connect] = ['oidc', 'passport', 'connect'].map((part) => `${origin}/${part}`);
    const urls = { origin, api, oidc: oidc ?? '', passport: passport ?? '', connect: connect ?? '' };
    world = await createPassportWorld(urls, tessera.setUpLink);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await world?.close();
    await tessera?.close();
    certificate.remove();
  });

  const query = () => ({ teamId: world.team.id });
  const update = (projectId: string, body: object) =>
    world.call('projects.update', { params: { idOrName: projectId }, query: query(), body });
  const deployAgain = async (site: ProtectedDeployment, environment: string) => {
    const { id, url } = await world.call('deployments.create', {
      query: query(),
      body: {
        projectId: site.projectId,
        environment,
        upstream: world.upstream.url.replace('localhost', '127.0.0.1'),
      },
    });
    return { ...site, id, url: url.replace(/\/$/, '') };
  };
  const cookiesOf = (visitor: Visitor, { url }: ProtectedDeployment): string =>
    visitor.cookies.header(new URL(url)) ?? '';

  async function enter(site: ProtectedDeployment): Promise<Visitor> {
    const visitor = createVisitor();
    const page = await passPassport(visitor, `${site.url}/`);
    if (page.status !== 200) throw new Error(`the visitor got ${page.status}: ${page.text}`);
    return visitor;
  }

  type Way = (site: ProtectedDeployment, cookie: string) => Promise<number>;
  const program = { accept: 'application/json' };
  const byDialect =
    (dialect: 'nginx' | 'haproxy' | 'forward-auth' | 'envoy'): Way =>
    async ({ url }, cookie) => {
      const at = new URL(url).host;
      const own = dialect === 'forward-auth' ? 'x-forwarded' : 'x-original';
      const told = {
        [`${own}-method`]: 'GET',
        [`${own}-proto`]: 'https',
        [`${own}-host`]: at,
        [`${own}-uri`]: '/',
        [`${own}-${dialect === 'forward-auth' ? 'for' : 'address'}`]: '203.0.113.7',
      };
      const { status, headers } = await send(
        `http://127.0.0.1:${decisions}/decide/${dialect}${dialect === 'envoy' ? '/' : ''}`,
        {
          headers: {
            ...(dialect === 'envoy'
              ? { 'x-original-proto': 'https', 'x-original-address': '203.0.113.7' }
              : told),
            ...program,
            host: at,
            cookie,
            'x-vercel-decision-credential': credential,
          },
        },
      );
      const token = headers['x-vercel-oidc-passport-token'];
      expect([status, token !== '']).toEqual([status, status === 200]);
      return status;
    };

  const ways: Record<string, Way> = {
    'HTTP/1.1': async ({ url }, cookie) =>
      (await send(`${url}/`, { headers: { ...program, cookie } })).status,
    'HTTP/2': async ({ url }, cookie) => {
      const { ask, close } = openHttp2(url);
      const { status } = await ask({ ':path': '/', ':authority': new URL(url).host, ...program, cookie });
      close();
      return status;
    },
    // What answers there knows no WebSockets, so that 200 is what passes here.
    'a WebSocket': ({ url }, cookie) => upgrade(new URL(url), cookie),
    nginx: byDialect('nginx'),
    haproxy: byDialect('haproxy'),
    'forward-auth': byDialect('forward-auth'),
    envoy: byDialect('envoy'),
  };
  const names = Object.keys(ways);
  const statusesOf = async (site: ProtectedDeployment, cookie: string) =>
    Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await ways[name]?.(site, cookie)] as const)),
    );
  const all = (status: number) => Object.fromEntries(names.map((name) => [name, status]));

  const protect = () => world.protect(`site-${++made}`);

  test('open the deployment that they are for', async () => {
    expect(
      await statusesOf(world.deployment, cookiesOf(await enter(world.deployment), world.deployment)),
    ).toEqual(all(200));
    expect(await statusesOf(world.deployment, '')).toEqual(all(401));
  });

  test('open no other host, project, environment or team', async () => {
    const cookie = cookiesOf(await enter(world.deployment), world.deployment);
    const team = await world.call('teams.create', { body: { slug: 'rival', name: 'Rival' } });
    const { issuer } = await world.call('connectors.get', {
      params: { id: world.connectorId },
      query: query(),
    });
    const connectorId = await world.createConnector(team.id, { issuer, clientId: 'tessera', clientSecret });
    const elsewhere = {
      host: await deployAgain(world.deployment, 'production'),
      environment: await deployAgain(world.deployment, 'preview'),
      project: await protect(),
      // The same names, at the same provider.
      team: await world.protect('site', { teamId: team.id, connectorId }),
    };
    for (const [what, site] of Object.entries(elsewhere)) {
      expect([what, await statusesOf(site, cookie)]).toEqual([what, all(401)]);
    }
    expect(await statusesOf(world.deployment, cookie)).toEqual(all(200));
  });

  test('open nothing after signing out (advisory-18, advisory-26)', async () => {
    const site = await protect();
    const visitor = await enter(site);
    const cookie = cookiesOf(visitor, site);
    expect(await statusesOf(site, cookie)).toEqual(all(200));
    await visitor.visit(`${site.url}/.well-known/vercel/passport/sign-out`);
    expect(await statusesOf(site, cookie)).toEqual(all(401));
  });

  test('open nothing after the team ended the session', async () => {
    const site = await protect();
    const cookie = cookiesOf(await enter(site), site);
    expect(await statusesOf(site, cookie)).toEqual(all(200));
    const filter = { ...query(), projectId: site.projectId };
    const { sessions } = await world.call('passport-sessions.list', { query: filter });
    await world.call('passport-sessions.end', { params: { sid: sessions[0]?.sid ?? '' }, query: query() });
    expect(await statusesOf(site, cookie)).toEqual(all(401));
  });

  test('open nothing after the password changed', async () => {
    const site = await protect();
    const protection = (password: string) => ({
      passport: null,
      passwordProtection: { deploymentType: 'all', password },
    });
    await update(site.projectId, protection('open sesame'));
    const visitor = createVisitor();
    const form = await visitor.visit(`${site.url}/`);
    await visitor.submit(form, 'password', { password: 'open sesame' }, 'password-submit');
    const cookie = cookiesOf(visitor, site);
    // Whoever gave a password is nobody, and no token says who.
    expect(await ways['HTTP/2']?.(site, cookie)).toBe(200);
    await update(site.projectId, protection('close sesame'));
    expect(await statusesOf(site, cookie)).toEqual(all(401));
  });

  test('open nothing after the time of the session, nor after it was idle for too long', async () => {
    const site = await protect();
    const setting = { connectorId: world.connectorId, deploymentType: 'all' };
    await update(site.projectId, { passport: { ...setting, sessionLifetimeSeconds: 7_200 } });
    const cookie = cookiesOf(await enter(site), site);
    await update(site.projectId, {
      passport: { ...setting, sessionLifetimeSeconds: 7_200, sessionIdleSeconds: 600 },
    });
    const idle = cookiesOf(await enter(site), site);
    expect(await statusesOf(site, cookie)).toEqual(all(200));
    expect(await statusesOf(site, idle)).toEqual(all(200));
    tessera.advance(hour);
    expect(await statusesOf(site, cookie)).toEqual(all(200));
    expect(await statusesOf(site, idle)).toEqual(all(401));
    tessera.advance(hour);
    expect(await statusesOf(site, cookie)).toEqual(all(401));
  });
});

/** The status that an upgrade over TLS is answered with. */
function upgrade({ host, hostname, port }: URL, cookie: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      port: Number(port),
      host: '127.0.0.1',
      servername: hostname,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    });
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      const status = /^HTTP\/1\.1 (\d{3})/.exec(received)?.[1];
      if (status === undefined) return;
      socket.destroy();
      resolve(Number(status));
    });
    socket.once('error', reject);
    socket.write(
      `GET / HTTP/1.1\r\nHost: ${host}\r\nAccept: application/json\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
        `${cookie === '' ? '' : `Cookie: ${cookie}\r\n`}\r\n`,
    );
  });
}
