import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createCookieJar } from '../harness/cookie-jar.ts';
import { sendRaw } from './echo-upstream.ts';
import { navigation, startGatewayWorld, type GatewayWorld, type SiteChanges } from './gateway-world.ts';

const program = { accept: 'application/json' };
const by = { actor: 'tok_1', userId: 'usr_1', teamId: 'team_a', reference: 'req_test' };

let world: GatewayWorld;
beforeAll(async () => {
  world = await startGatewayWorld({ trustProxy: ['127.0.0.1'] });
});
afterAll(() => world.close());
beforeEach(() => {
  world.upstream.received.length = 0;
});

const trustedIps = (
  protectionMode: 'additional' | 'exclusive',
  values: readonly string[],
): NonNullable<SiteChanges['protection']> => ({
  trustedIps: { deploymentType: 'all', protectionMode, addresses: values.map((value) => ({ value })) },
});
const received = () => world.upstream.received.map(({ method, url }) => `${method} ${url}`);

describe('trusted IPs', () => {
  const from = async (host: string, address: string, headers: Record<string, string> = {}) =>
    (await world.ask(host, '/', { headers: { ...program, 'x-forwarded-for': address, ...headers } })).status;

  test('alone let in whoever comes from there, and nobody else', async () => {
    world.site('office.app.localhost', {
      protection: trustedIps('exclusive', ['192.0.2.0/24', '2001:db8::/32']),
    });
    const addresses = [
      '192.0.2.7',
      '192.0.2.255',
      '192.0.2.7:4711',
      '::ffff:192.0.2.7',
      '::FFFF:C000:0207',
      '2001:db8:1::1',
      '[2001:db8:1::1]',
      '[2001:db8:1::1]:4711',
    ];
    for (const address of addresses)
      expect([address, await from('office.app.localhost', address)]).toEqual([address, 200]);
    const foreign = [
      '192.0.3.1',
      '::192.0.2.7',
      '2001:db9::1',
      '64:ff9b::c000:207',
      '192.0.3.1:80',
      '192.0.2.7:port',
      '[192.0.2.7',
      'unknown',
      '',
    ];
    for (const address of foreign)
      expect([address, await from('office.app.localhost', address)]).toEqual([address, 404]);
  });

  test('take no visitor for the proxy, whatever it says of them', async () => {
    world.site('inner.app.localhost', { protection: trustedIps('exclusive', ['127.0.0.0/8']) });
    for (const address of ['203.0.113.9', '203.0.113.9:4711', 'unknown', '_hidden', '', '192.0.2.7, unknown'])
      expect([address, await from('inner.app.localhost', address)]).toEqual([address, 404]);
    // Nobody stands behind it: the proxy's own machine asks.
    expect((await world.ask('inner.app.localhost', '/', { headers: program })).status).toBe(200);
  });

  test('as a further layer still ask for the sign-in', async () => {
    world.site('layer.app.localhost', { protection: trustedIps('additional', ['192.0.2.0/24']) });
    expect(await from('layer.app.localhost', '192.0.2.7')).toBe(401);
    expect(await from('layer.app.localhost', '198.51.100.1')).toBe(404);
    const jar = createCookieJar();
    const inside = { 'x-forwarded-for': '192.0.2.7' };
    const start = await world.navigate('layer.app.localhost', '/', jar, inside);
    const code = await world.handOff(start.headers.location);
    const finish = world.finishPath(code);
    // The way back does not lead past the layer either.
    expect(
      (await world.navigate('layer.app.localhost', finish, jar, { 'x-forwarded-for': '198.51.100.1' }))
        .status,
    ).toBe(404);
    expect((await world.navigate('layer.app.localhost', finish, jar, inside)).status).toBe(303);
    expect((await world.navigate('layer.app.localhost', '/', jar, inside)).status).toBe(200);
    expect(
      (await world.navigate('layer.app.localhost', '/', jar, { 'x-forwarded-for': '198.51.100.1' })).status,
    ).toBe(404);
  });

  test('go by the address that http derived from trusted proxies, whatever else is sent (security-87, advisory-extra: trusted addresses)', async () => {
    const direct = await startGatewayWorld();
    try {
      const host = 'far.app.localhost';
      direct.site(host, { protection: trustedIps('exclusive', ['192.0.2.0/24']) });
      direct.site('near.app.localhost', { protection: trustedIps('exclusive', ['127.0.0.1']) });
      const spoofs = [
        'x-forwarded-for',
        'x-real-ip',
        'forwarded',
        'true-client-ip',
        'cf-connecting-ip',
        'x-client-ip',
      ];
      for (const name of spoofs) {
        const value = name === 'forwarded' ? 'for=192.0.2.7' : '192.0.2.7';
        const answer = await direct.ask(host, '/', { headers: { ...program, [name]: value } });
        expect([name, answer.status]).toEqual([name, 404]);
        // Nor does it lead anybody out of where they are.
        expect(
          (await direct.ask('near.app.localhost', '/', { headers: { ...program, [name]: value } })).status,
        ).toBe(200);
      }
      expect(direct.upstream.received).toHaveLength(spoofs.length);
    } finally {
      await direct.close();
    }
    world.site('office.app.localhost', { protection: trustedIps('exclusive', ['192.0.2.0/24']) });
    expect(await from('office.app.localhost', '192.0.2.7, 198.51.100.1')).toBe(404);
    expect(await from('office.app.localhost', '198.51.100.1, 192.0.2.7')).toBe(200);
  });

  test('open a WebSocket to pages of their host alone, as cookies do (security-93)', async () => {
    const host = 'socket-office.app.localhost';
    const layer = 'socket-layer.app.localhost';
    world.site(host, { protection: trustedIps('exclusive', ['192.0.2.0/24']) });
    world.site(layer, { passport: null, protection: trustedIps('additional', ['192.0.2.0/24']) });
    const upgrade = async (at: string, address: string, origin: string | undefined) => {
      const head = [
        'GET /socket HTTP/1.1',
        `Host: ${world.hostHeader(at)}`,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        `X-Forwarded-For: ${address}`,
        ...(origin === undefined ? [] : [`Origin: ${origin}`]),
      ];
      return (await sendRaw(world.port, [...head, '', ''].join('\r\n'))).status;
    };
    for (const at of [host, layer]) {
      expect(await upgrade(at, '192.0.2.7', world.originOf(at))).toBe(101);
      // A program says no origin.
      expect(await upgrade(at, '192.0.2.7', undefined)).toBe(101);
      for (const origin of ['https://evil.example', world.originOf('a.app.localhost'), 'null'])
        expect([origin, await upgrade(at, '192.0.2.7', origin)]).toEqual([origin, 403]);
      expect(await upgrade(at, '198.51.100.1', world.originOf(at))).toBe(404);
    }
  });

  test('make a deployment that cannot be told from none, byte by byte', async () => {
    world.site('hidden.app.localhost', { protection: trustedIps('additional', ['192.0.2.0/24']) });
    const raw = async (host: string, head: string, lines: readonly string[] = []) => {
      const { text } = await sendRaw(
        world.port,
        [`${head} HTTP/1.1`, `Host: ${world.hostHeader(host)}`, ...lines, 'Connection: close', '', ''].join(
          '\r\n',
        ),
      );
      return text
        .replaceAll(host, 'HOST')
        .replaceAll(/req_[0-9a-f]+/g, 'REFERENCE')
        .replace(/Date: [^\r]+/, 'Date');
    };
    const session =
      'Cookie: _vercel_passport=a; _vercel_passport=b; _vercel_share=c; _vercel_protection_bypass=d';
    const webSocket = [
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ];
    const requests: [string, string[]?][] = [
      ['GET /'],
      ['GET /', ['Accept: text/html']],
      ['HEAD /', ['Accept: text/html']],
      ['OPTIONS /api'],
      ['POST /', ['Content-Length: 0']],
      ['DELETE /x'],
      ['GET /', [session]],
      [`GET ${world.wire.finishPath}?code=${'a'.repeat(43)}`],
      [`GET ${world.wire.signOutPath}`, ['Accept: text/html']],
      [`POST ${world.wire.signOutPath}`, ['Content-Length: 0', 'Sec-Fetch-Site: cross-site']],
      ['GET /.well-known/vercel/passport/other'],
      [`GET ${world.wire.passwordPath}?to=x`, ['Accept: text/html']],
      [`POST ${world.wire.passwordPath}`, ['Content-Length: 0']],
      [`GET /?_vercel_share=${'a1B2'.repeat(8)}&x-vercel-protection-bypass=${'a1B2'.repeat(8)}`],
      ['GET /', webSocket],
      ['GET /a/../b'],
      ['TRACE /'],
    ];
    for (const [head, lines] of requests) {
      const hidden = await raw('hidden.app.localhost', head, lines);
      expect([head, hidden]).toEqual([head, await raw('absent.app.localhost', head, lines)]);
    }
    expect(await raw('hidden.app.localhost', 'GET /')).toMatch(/^HTTP\/1\.1 404 [^]*DEPLOYMENT_NOT_FOUND/);
    // Nor after many wrong secrets, which elsewhere would be too many.
    for (let count = 0; count < 55; count++) {
      await raw('hidden.app.localhost', 'GET /', [
        `x-vercel-protection-bypass: wrong${String(count).padStart(27, '0')}`,
      ]);
    }
    const wrong = [`x-vercel-protection-bypass: ${'a1B2'.repeat(8)}`];
    expect(await raw('hidden.app.localhost', 'GET /', wrong)).toBe(
      await raw('absent.app.localhost', 'GET /', wrong),
    );
    expect(received()).toEqual([]);
  });

  test('are passed by bypass secrets and share links', async () => {
    const host = 'hidden.app.localhost';
    world.site(host, { projectId: 'prj_hidden', protection: trustedIps('additional', ['192.0.2.0/24']) });
    const { secret } = await world.bypasses.automation.generate('prj_hidden', {}, by);
    expect(await from(host, '198.51.100.1', { 'x-vercel-protection-bypass': secret })).toBe(200);
    const link = await world.bypasses.shareLinks.generate({ host, projectId: 'prj_hidden' }, undefined, by);
    const jar = createCookieJar();
    const outside = { 'x-forwarded-for': '198.51.100.1' };
    expect((await world.navigate(host, `/?_vercel_share=${link.secret}`, jar, outside)).status).toBe(303);
    expect((await world.navigate(host, '/', jar, outside)).status).toBe(200);
  });

  test('cover previews or production alone where that is set, and keep answers from shared caches', async () => {
    const only = (deploymentType: 'preview' | 'production') => ({
      passport: null,
      protection: {
        trustedIps: { ...trustedIps('exclusive', ['192.0.2.7']).trustedIps!, deploymentType },
      },
    });
    world.site('production.app.localhost', only('production'));
    world.site('preview.app.localhost', { ...only('production'), environment: 'preview' });
    world.site('production-open.app.localhost', only('preview'));
    world.site('preview-closed.app.localhost', { ...only('preview'), environment: 'preview' });
    expect(await from('production.app.localhost', '198.51.100.1')).toBe(404);
    expect(await from('preview.app.localhost', '198.51.100.1')).toBe(200);
    expect(await from('production-open.app.localhost', '198.51.100.1')).toBe(200);
    expect(await from('preview-closed.app.localhost', '198.51.100.1')).toBe(404);
    const answer = await world.ask('production.app.localhost', '/cookies', {
      headers: { ...program, 'x-forwarded-for': '192.0.2.7' },
    });
    expect(answer.headers['cache-control']).toBe('private, max-age=60');
    expect(answer.headers['cdn-cache-control']).toBeUndefined();
  });
});

describe('an open host', () => {
  test('lets everybody pass, as nobody; its siblings do not', async () => {
    const protection = { protectionExceptions: ['open-one.app.localhost'] };
    world.site('open-one.app.localhost', { protection });
    world.site('closed-one.app.localhost', { protection });
    const jar = await world.signIn('a.app.localhost');
    const answer = await world.ask('open-one.app.localhost', '/cookies', { jar, headers: program });
    expect([answer.status, answer.headers['cache-control']]).toEqual([
      200,
      'public, max-age=60, s-maxage=600',
    ]);
    expect(JSON.stringify(world.upstream.received)).not.toContain('passport-token');
    for (const host of [
      'closed-one.app.localhost',
      'sub.open-one.app.localhost',
      'open-one.app.localhost.evil',
    ])
      expect((await world.ask(host, '/', { headers: program })).status).not.toBe(200);
    const spelled = world.hostHeader('OPEN-ONE.app.localhost.');
    expect((await world.ask('open-one.app.localhost', '/', { headers: { host: spelled } })).status).toBe(200);
  });
});

describe('paths that are open to OPTIONS (advisory-extra: preflights)', () => {
  const host = 'api.app.localhost';
  beforeEach(() => {
    world.site(host, {
      protection: { optionsAllowlist: { paths: [{ value: '/api' }, { value: '/v1/x/' }] } },
    });
  });
  const options = (path: string, sending: { headers?: Record<string, string>; body?: string } = {}) =>
    world.ask(host, path, { method: 'OPTIONS', ...sending, headers: { ...program, ...sending.headers } });

  test('pass up to the end of a segment, by that method alone', async () => {
    for (const path of ['/api', '/api/', '/api/users', '/api?x=1', '/api/users?a=/../b', '/v1/x', '/v1/x/y'])
      expect([path, (await options(path)).status]).toEqual([path, 200]);
    for (const path of [
      '/',
      '/apiary',
      '/ap',
      '/API',
      '/v1',
      '/v1/xy',
      '/x/api',
      '/?/api',
      '/x?/api',
      '/api.json',
    ])
      expect([path, (await options(path)).status]).toEqual([path, 401]);
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PROPFIND'])
      expect([method, (await world.ask(host, '/api', { method, headers: program })).status]).toEqual([
        method,
        401,
      ]);
  });

  test.each([
    '/api%2f..%2fadmin',
    '/api%2Fusers',
    '/api%5c..%5cadmin',
    '/api/%2e%2e/admin',
    '/api/..%2fadmin',
    '/api/../admin',
    '/api/./../admin',
    '/api/..;/admin',
    '/api;/../admin',
    '/api;x=1',
    '/api//../admin',
    '/api//admin',
    '//api/x',
    '/%61pi/x',
    '/api%00/x',
    '/api%252f..%252fadmin',
    '/api%23/x',
    '/api%3f/x',
    '/api/%c0%ae%c0%ae/admin',
    '/api\\..\\admin',
  ])('are not slipped past by %s', async (path) => {
    // From a raw socket: a client would tidy the path.
    const head = `OPTIONS ${path} HTTP/1.1\r\nHost: ${world.hostHeader(host)}\r\nConnection: close\r\n\r\n`;
    expect([400, 401]).toContain((await sendRaw(world.port, head)).status);
    expect(received()).toEqual([]);
  });

  test('lose the body and whatever would make another method of them', async () => {
    const overriding = [
      'x-http-method-override',
      'X-HTTP-Method',
      'X_HTTP_Method_Override',
      'x-method-override',
      'x.http.method',
    ];
    const answer = await options('/api', {
      body: '{"delete":"everything"}',
      headers: {
        'content-type': 'application/json',
        origin: 'https://elsewhere.example',
        'access-control-request-method': 'DELETE',
        ...Object.fromEntries(overriding.map((name) => [name, 'DELETE'])),
      },
    });
    expect(answer.status).toBe(200);
    const [echo] = world.upstream.received;
    expect([echo?.method, echo?.body]).toEqual(['OPTIONS', '']);
    const names = (echo?.headers ?? []).map(([name]) => name.toLowerCase().replaceAll(/[^a-z]/g, ''));
    for (const name of ['contentlength', 'contenttype', 'transferencoding', ...overriding])
      expect(names).not.toContain(name.toLowerCase().replaceAll(/[^a-z]/g, ''));
    expect(names).toContain('accesscontrolrequestmethod');
    // Chunked as well, and the connection goes on with the next request.
    const text = await sendRaw(
      world.port,
      `OPTIONS /api HTTP/1.1\r\nHost: ${world.hostHeader(host)}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n` +
        `OPTIONS /api/2 HTTP/1.1\r\nHost: ${world.hostHeader(host)}\r\nConnection: close\r\n\r\n`,
    );
    expect(text.text.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    expect(world.upstream.received.map(({ body }) => body)).toEqual(['', '', '']);
  });

  test('keep their body for whoever is signed in elsewhere', async () => {
    world.site('whole.app.localhost', { passport: null });
    await world.ask('whole.app.localhost', '/api', {
      method: 'OPTIONS',
      body: 'kept',
      headers: { ...navigation, 'x-http-method-override': 'PUT' },
    });
    const [echo] = world.upstream.received;
    expect(echo?.body).toBe('kept');
    expect(echo?.headers.map(([name]) => name)).toContain('x-http-method-override');
  });
});
