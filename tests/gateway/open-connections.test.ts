import { createServer, request as httpRequest } from 'node:http';
import { createHash } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Agent, WebSocket } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiToken } from '../harness/front-door.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';

const withinMilliseconds = 5_000;
const bypassHeader = 'x-vercel-protection-bypass';
const trustedHeader = 'x-vercel-trusted-oidc-idp-token';

/** Says something five times a second, by WebSocket or by events, until it is cut. */
async function startTicker() {
  const open = new Set<() => void>();
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const timer = setInterval(() => response.write('data: tick\n\n'), 200);
    response.once('close', () => clearInterval(timer));
  });
  server.on('upgrade', (request, socket) => {
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    const timer = setInterval(() => socket.write(Buffer.from([0x81, 4, ...Buffer.from('tick')])), 200);
    const end = () => {
      clearInterval(timer);
      open.delete(end);
      socket.destroy();
    };
    open.add(end);
    socket.on('error', end).on('close', end).on('end', end).resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      for (const end of open) end();
      server.closeAllConnections();
      server.close();
    },
  };
}

type Site = { url: string; host: string; projectId: string };
type Headers = Record<string, string>;
/** Both kinds of what may be open, with the same headers. */
type Opened = { closedAt(): (number | undefined)[]; close(): void };

describe.each(databaseKinds)(
  'what is open when its reason ends (security-93, advisory-26), on %s',
  (kind) => {
    let tessera: RunningTessera;
    let world: PassportWorld;
    let upstream: Awaited<ReturnType<typeof startTicker>>;
    let agent: Agent;
    let made = 0;

    beforeAll(async () => {
      tessera = await startTessera(kind);
      world = await createPassportWorld(tessera.urls, tessera.setUpLink);
      upstream = await startTicker();
      agent = new Agent({
        connect: {
          lookup: (_host, options, callback) =>
            options.all
              ? callback(null, [{ address: '127.0.0.1', family: 4 }])
              : callback(null, '127.0.0.1', 4),
        },
      });
    });
    afterAll(async () => {
      upstream?.close();
      await agent?.close();
      await world?.close();
      await tessera?.close();
    });

    const query = () => ({ teamId: world.team.id });
    const update = (site: Site, body: object) =>
      world.call('projects.update', { params: { idOrName: site.projectId }, query: query(), body });

    /** A project of its own with a deployment that never stops talking; open to everyone unless `body` says otherwise. */
    async function makeSite(body: object = {}): Promise<Site & { id: string }> {
      const name = `open-${++made}`;
      const project = await world.call('projects.create', { query: query(), body: { name } });
      const { id, url } = await world.call('deployments.create', {
        query: query(),
        body: { projectId: project.id, environment: 'production', upstream: upstream.url },
      });
      const site = { id, url: url.replace(/\/$/, ''), host: new URL(url).hostname, projectId: project.id };
      await update(site, body);
      return site;
    }
    const passport = () => ({ passport: { connectorId: world.connectorId, deploymentType: 'all' } });
    const generate = async (site: Site) => {
      const { secret = '', id = '' } = await world.call('protection-bypass.update', {
        params: { idOrName: site.projectId },
        query: query(),
        body: { generate: {} },
      });
      return { secret, id };
    };
    const cookiesOf = (visitor: Visitor, { url }: Site): Headers => ({
      cookie: visitor.cookies.header(new URL(url)) ?? '',
    });

    async function open(site: Site, headers: Headers = {}): Promise<Opened> {
      const closedAt: (number | undefined)[] = [undefined, undefined];
      const socket = new WebSocket(site.url.replace('http', 'ws'), { headers, dispatcher: agent });
      socket.addEventListener('close', () => {
        closedAt[0] ??= performance.now();
      });
      const heard = await new Promise<string>((resolve) => {
        socket.addEventListener('message', ({ data }) => resolve(String(data)), { once: true });
        socket.addEventListener('close', () => resolve('closed'), { once: true });
      });
      expect(heard).toBe('tick');
      const request = httpRequest(site.url, {
        headers: { accept: 'text/event-stream', ...headers },
        agent: false,
        lookup: (_host, options, callback) =>
          options.all
            ? callback(null, [{ address: '127.0.0.1', family: 4 }])
            : callback(null, '127.0.0.1', 4),
      });
      request.on('error', () => undefined);
      const status = await new Promise<number | undefined>((resolve) => {
        request.once('response', (response) => {
          response.on('error', () => undefined);
          response.once('close', () => {
            closedAt[1] ??= performance.now();
          });
          response.once('data', () => resolve(response.statusCode));
        });
        request.end();
      });
      expect(status).toBe(200);
      return {
        closedAt: () => closedAt,
        close() {
          socket.close();
          request.destroy();
        },
      };
    }

    /** Opens with `headers`, waits until a stream is no young one any more, does it, and looks how long both go on. */
    async function expectCut(site: Site, headers: Headers, change: () => Promise<unknown>): Promise<void> {
      const opened = await open(site, headers);
      await pause(3_500);
      expect(opened.closedAt(), 'goes on until then').toEqual([undefined, undefined]);
      await change();
      const changedAt = performance.now();
      const isOpen = () => opened.closedAt().includes(undefined);
      while (isOpen() && performance.now() - changedAt < withinMilliseconds + 1_000) await pause(50);
      for (const at of opened.closedAt())
        expect((at ?? Infinity) - changedAt).toBeLessThan(withinMilliseconds);
    }

    /** The same, and nothing happens. */
    async function expectKept(site: Site, headers: Headers, change: () => Promise<unknown>): Promise<void> {
      const opened = await open(site, headers);
      await change();
      await pause(withinMilliseconds + 1_500);
      expect(opened.closedAt()).toEqual([undefined, undefined]);
      opened.close();
    }

    const limit = { timeout: 60_000 };

    test.concurrent('trusted IPs without this address', limit, async () => {
      const trust = (value: string) => ({
        trustedIps: { deploymentType: 'all', protectionMode: 'exclusive', addresses: [{ value }] },
      });
      const site = await makeSite(trust('127.0.0.1'));
      await expectCut(site, {}, () => update(site, trust('192.0.2.1')));
    });

    test.concurrent('a host that was open to everyone, and asks to sign in now', limit, async () => {
      const site = await makeSite();
      await expectCut(site, {}, () => update(site, passport()));
    });

    test.concurrent('an exception that is none any more', limit, async () => {
      const site = await makeSite(passport());
      await update(site, { protectionExceptions: [{ host: site.host, confirm: site.host }] });
      await expectCut(site, {}, () => update(site, { protectionExceptions: [] }));
    });

    test.concurrent('a bypass secret that is revoked', limit, async () => {
      const site = await makeSite(passport());
      const { secret, id } = await generate(site);
      await expectCut(site, { [bypassHeader]: secret }, () =>
        world.call('protection-bypass.update', {
          params: { idOrName: site.projectId },
          query: query(),
          body: { revoke: { secret: id } },
        }),
      );
    });

    test.concurrent('a bypass secret that is bound to another path now', limit, async () => {
      const site = await makeSite(passport());
      const { secret, id } = await generate(site);
      await expectCut(site, { [bypassHeader]: secret }, () =>
        world.call('protection-bypass.update', {
          params: { idOrName: site.projectId },
          query: query(),
          body: { update: { secret: id, pathPrefix: '/elsewhere' } },
        }),
      );
    });

    test.concurrent('a share link that is revoked', limit, async () => {
      const site = await makeSite(passport());
      const params = { idOrHost: site.host };
      const { url = '', protectionBypass } = await world.call('share-links.update', {
        params,
        query: query(),
      });
      const visitor = createVisitor();
      await visitor.open(url);
      const secret = Object.values(protectionBypass)[0]?.id ?? '';
      await expectCut(site, cookiesOf(visitor, site), () =>
        world.call('share-links.update', { params, query: query(), body: { revoke: { secret } } }),
      );
    });

    test.concurrent('a password that is another one now', limit, async () => {
      const protect = (password: string) => ({ passwordProtection: { deploymentType: 'all', password } });
      const site = await makeSite(protect('open sesame'));
      const visitor = createVisitor();
      const form = await visitor.visit(site.url);
      await visitor.submit(form, 'password', { password: 'open sesame' }, 'password-submit');
      await expectCut(site, cookiesOf(visitor, site), () => update(site, protect('close sesame')));
    });

    test.concurrent('a password where people have to sign in now', limit, async () => {
      const site = await makeSite({ passwordProtection: { deploymentType: 'all', password: 'open sesame' } });
      const visitor = createVisitor();
      const form = await visitor.visit(site.url);
      await visitor.submit(form, 'password', { password: 'open sesame' }, 'password-submit');
      await expectCut(site, cookiesOf(visitor, site), () => update(site, passport()));
    });

    test.concurrent('a trusted source, by a setting that was changed', limit, async () => {
      const site = await makeSite(passport());
      const builder = await createApiToken(tessera.urls.origin, world.admin, {
        name: `builder-${made}`,
        teamSlug: world.team.slug,
        builds: [{ projectId: site.projectId, environment: 'production' }],
      });
      const answer = await send(
        `${tessera.urls.api}/v1/projects/${site.projectId}/token?teamId=${world.team.id}`,
        {
          method: 'POST',
          headers: { authorization: `Bearer ${builder}`, 'content-type': 'application/json' },
          body: JSON.stringify({ environment: 'production' }),
        },
      );
      const { token } = answer.json() as { token: string };
      const sources = (slug: string) => ({
        trustedSources: {
          acceptDefaultAudience: true,
          projects: {
            [site.projectId]: { customAllow: [{ from: { slugs: [slug] }, to: { slugs: ['production'] } }] },
          },
        },
      });
      await update(site, sources('production'));
      await expectCut(site, { [trustedHeader]: token }, () => update(site, sources('preview')));
    });

    test.concurrent('a session that the team ends, also where the answer is a stream', limit, async () => {
      const site = await makeSite(passport());
      const visitor = createVisitor();
      await passPassportOf(visitor, site);
      await expectCut(site, cookiesOf(visitor, site), async () => {
        const { sessions } = await world.call('passport-sessions.list', {
          query: { ...query(), projectId: site.projectId },
        });
        const params = { sid: sessions[0]?.sid ?? '' };
        await world.call('passport-sessions.end', { params, query: query() });
      });
    });

    test.concurrent('a deployment that is deleted', limit, async () => {
      const site = await makeSite();
      await expectCut(site, {}, () =>
        world.call('deployments.delete', { params: { id: site.id }, query: query() }),
      );
    });

    test.concurrent(
      'goes on when somebody else’s reason ends, and sessions when the setting changes',
      limit,
      async () => {
        const site = await makeSite(passport());
        const [kept, revoked] = [await generate(site), await generate(site)];
        const visitor = createVisitor();
        await passPassportOf(visitor, site);
        await Promise.all([
          expectKept(site, { [bypassHeader]: kept.secret }, () =>
            world.call('protection-bypass.update', {
              params: { idOrName: site.projectId },
              query: query(),
              body: { revoke: { secret: revoked.id } },
            }),
          ),
          expectKept(site, cookiesOf(visitor, site), () =>
            update(site, { passport: null, ssoProtection: { deploymentType: 'all' } }),
          ),
        ]);
      },
    );

    /** The page never ends, so the way is gone up to it. */
    async function passPassportOf(visitor: Visitor, site: Site): Promise<void> {
      const opened = (url: URL) => url.origin === site.url && !url.pathname.startsWith('/.well-known/');
      const page = await visitor.visit(site.url, opened);
      if (page.text.includes('id="sign-in"')) {
        const person = { username: 'grace', password: 'nobody else has it' };
        await visitor.follow(await visitor.submit(page, 'sign-in', person, 'sign-in-submit'), opened);
      }
    }
  },
);
