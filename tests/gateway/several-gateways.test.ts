import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createPassportWorld, passPassport, type PassportWorld } from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { spawnTessera, type SpawnedTessera } from '../harness/spawn-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';
import { startEchoUpstream, type EchoUpstream } from './echo-upstream.ts';

const withinMilliseconds = 5_000;

/** Two processes on one database: what is ended at the first is over at the second, which nobody told of it. */
describe.each(databaseKinds)(
  'what ends at one gateway is over at every other, on %s (advisory-26, security-93)',
  (kind) => {
    let tessera: SpawnedTessera;
    let world: PassportWorld;
    let upstream: EchoUpstream;
    let made = 0;

    beforeAll(async () => {
      tessera = await spawnTessera(kind, { processes: 2 });
      world = await createPassportWorld(tessera.urls, tessera.setUpLink);
      upstream = await startEchoUpstream();
    }, 60_000);
    afterAll(async () => {
      await upstream?.close();
      await world?.close();
      await tessera?.close();
    });

    type Site = { url: string; host: string; projectId: string };
    const query = () => ({ teamId: world.team.id });
    const update = (site: Site, body: object) =>
      world.call('projects.update', { params: { idOrName: site.projectId }, query: query(), body });
    async function makeSite(body?: object): Promise<Site> {
      const { id: projectId } = await world.call('projects.create', {
        query: query(),
        body: { name: `site-${++made}` },
      });
      const { url } = await world.call('deployments.create', {
        query: query(),
        body: { projectId, environment: 'production', upstream: upstream.origin },
      });
      const site = { url: url.replace(/\/$/, ''), host: new URL(url).host, projectId };
      await update(site, body ?? { passport: { connectorId: world.connectorId, deploymentType: 'all' } });
      return site;
    }
    const cookieOf = (visitor: Visitor, { url }: Site) => visitor.cookies.header(new URL(url)) ?? '';

    /** At the second gateway, as a program. */
    const statusOf = async ({ url }: Site, headers: Record<string, string>) =>
      (
        await send(`${url}/`, {
          headers: { accept: 'application/json', ...headers },
          port: tessera.ports[1] ?? 0,
        })
      ).status;

    /** A WebSocket that is open at the second gateway. */
    async function openSocket({ host }: Site, headers: Record<string, string>) {
      const socket = connect(tessera.ports[1] ?? 0, '127.0.0.1');
      let text = '';
      let closedAt: number | undefined;
      socket.on('data', (chunk) => (text += chunk.toString('latin1')));
      socket.on('error', () => undefined);
      socket.on('close', () => (closedAt = performance.now()));
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(
        `GET /socket HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
          `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${lines.join('')}\r\n`,
      );
      await vi.waitFor(() => expect(text).toContain('101 Switching Protocols'), withinMilliseconds);
      return { closedAt: () => closedAt };
    }

    /** Both pass at the second gateway until then, and neither five seconds later. */
    async function expectEnd(
      site: Site,
      headers: Record<string, string>,
      end: () => Promise<unknown>,
      after = 401,
    ) {
      expect(await statusOf(site, headers)).toBe(200);
      const socket = await openSocket(site, headers);
      await end();
      const endedAt = performance.now();
      let status = 200;
      let refusedAt = endedAt;
      while (status === 200 && refusedAt - endedAt < withinMilliseconds * 2) {
        status = await statusOf(site, headers);
        refusedAt = performance.now();
      }
      expect(status).toBe(after);
      expect(refusedAt - endedAt).toBeLessThan(withinMilliseconds);
      await vi.waitFor(() => expect(socket.closedAt()).toBeDefined(), withinMilliseconds);
      expect((socket.closedAt() ?? Infinity) - endedAt).toBeLessThan(withinMilliseconds);
    }

    const limit = { timeout: 30_000 };

    test.concurrent('a session that its visitor signed out of', limit, async () => {
      const site = await makeSite();
      const visitor = createVisitor();
      expect((await passPassport(visitor, `${site.url}/`)).status).toBe(200);
      const cookie = cookieOf(visitor, site);
      await expectEnd(site, { cookie }, () =>
        visitor.visit(`${site.url}/.well-known/vercel/passport/sign-out`),
      );
    });

    test.concurrent('a session that the team ended', limit, async () => {
      const site = await makeSite();
      const visitor = createVisitor();
      expect((await passPassport(visitor, `${site.url}/`)).status).toBe(200);
      await expectEnd(site, { cookie: cookieOf(visitor, site) }, () =>
        world.call('passport-sessions.end-many', { query: { ...query(), projectId: site.projectId } }),
      );
    });

    test.concurrent('a password', limit, async () => {
      const protection = (password: string) => ({ passwordProtection: { deploymentType: 'all', password } });
      const site = await makeSite(protection('open sesame'));
      const visitor = createVisitor();
      const form = await visitor.visit(`${site.url}/`);
      await visitor.submit(form, 'password', { password: 'open sesame' }, 'password-submit');
      await expectEnd(site, { cookie: cookieOf(visitor, site) }, () =>
        update(site, protection('close sesame')),
      );
    });

    test.concurrent('a bypass secret', limit, async () => {
      const site = await makeSite();
      const params = { idOrName: site.projectId };
      const { secret = '' } = await world.call('protection-bypass.update', {
        params,
        query: query(),
        body: { generate: {} },
      });
      await expectEnd(site, { 'x-vercel-protection-bypass': secret }, () =>
        world.call('protection-bypass.update', { params, query: query(), body: { revoke: { secret } } }),
      );
    });

    test.concurrent('being open to everyone, and being there', limit, async () => {
      const site = await makeSite({});
      await expectEnd(site, {}, () =>
        update(site, { passport: { connectorId: world.connectorId, deploymentType: 'all' } }),
      );
      const gone = await makeSite({});
      await expectEnd(
        gone,
        {},
        () => world.call('projects.delete', { params: { idOrName: gone.projectId }, query: query() }),
        404,
      );
    });
  },
);
