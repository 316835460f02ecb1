import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createCookieJar, type CookieJar } from '../harness/cookie-jar.ts';
import { findFreePort } from '../harness/free-port.ts';
import { sendRaw } from './echo-upstream.ts';
import { navigation, startGatewayWorld, type GatewayWorld } from './gateway-world.ts';

const host = 'a.app.localhost';
const open = 'open.app.localhost';
const size = 50 * 1024 * 1024;

let world: GatewayWorld;
let jar: CookieJar;
beforeAll(async () => {
  world = await startGatewayWorld();
  jar = await world.signIn(host);
});
afterAll(() => world.close());
beforeEach(() => {
  world.upstream.received.length = 0;
});

const cookieHeader = () => jar.header(new URL(world.originOf(host))) ?? '';

/** A request whose body and answer are streams. */
function begin(
  at: string,
  path: string,
  options: { method?: string; headers?: Record<string, string> } = {},
) {
  const request = httpRequest({
    host: '127.0.0.1',
    port: world.port,
    path,
    method: options.method ?? 'GET',
    headers: { host: world.hostHeader(at), ...options.headers },
    agent: false,
  });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
  return { request, answer };
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  return text;
}

describe('large bodies', () => {
  test('50 MB down, without being held in memory', async () => {
    const { request, answer } = begin(host, `/big?size=${size}`, {
      headers: { accept: 'text/html', cookie: cookieHeader() },
    });
    request.end();
    const response = await answer;
    expect(response.headers['content-length']).toBe(String(size));
    let received = 0;
    for await (const chunk of response) received += (chunk as Buffer).length;
    expect(received).toBe(size);
  });

  test.each([['with a length'], ['chunked']])('50 MB up, %s', async (kind) => {
    const chunk = randomBytes(64 * 1024);
    const hash = createHash('sha256');
    const { request, answer } = begin(open, '/sum', {
      method: 'POST',
      headers: kind === 'chunked' ? {} : { 'content-length': String(size) },
    });
    for (let sent = 0; sent < size; sent += chunk.length) {
      hash.update(chunk);
      if (!request.write(chunk)) await new Promise((resolve) => request.once('drain', resolve));
    }
    request.end();
    expect(JSON.parse(await textOf(await answer))).toEqual({ size, sha256: hash.digest('hex') });
  });

  test('a slow visitor stops the upstream, and is waited for', async () => {
    const before = process.memoryUsage().arrayBuffers;
    const { request, answer } = begin(open, `/big?size=${size * 4}`);
    request.end();
    const response = await answer;
    response.pause();
    await pause(500);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30 * 1024 * 1024);
    response.destroy();
  });

  test('a visitor who leaves ends the request at the upstream', async () => {
    const { request, answer } = begin(open, `/big?size=${size * 4}`);
    request.end();
    const response = await answer;
    response.once('error', () => undefined);
    request.once('error', () => undefined);
    const [socket] = [...world.upstream.sockets].slice(-1);
    response.destroy();
    await expect.poll(() => socket?.destroyed, { timeout: 3_000 }).toBe(true);
  });

  test('an upstream that answers before the body is sent is heard', async () => {
    const { request, answer } = begin(open, '/early', {
      method: 'POST',
      headers: { 'content-length': String(size) },
    });
    request.on('error', () => undefined);
    request.write(Buffer.alloc(64 * 1024));
    const response = await answer;
    expect(response.statusCode).toBe(413);
    expect(await textOf(response)).toBe('too much');
    request.destroy();
  });
});

describe('what flows', () => {
  test('server-sent events arrive when they happen', async () => {
    const { request, answer } = begin(host, '/events', {
      headers: { accept: 'text/event-stream, text/html', cookie: cookieHeader() },
    });
    request.end();
    const response = await answer;
    expect(response.headers['content-type']).toBe('text/event-stream');
    const times: number[] = [];
    for await (const _ of response) times.push(performance.now());
    expect(times.length).toBe(2);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(200);
  });

  test('trailers of the answer, but none that speaks for us', async () => {
    const { request, answer } = begin(open, '/trailers', { headers: { te: 'trailers' } });
    request.end();
    const response = await answer;
    expect(await textOf(response)).toBe('body');
    expect(response.trailers).toEqual({ 'x-sum': '42' });
  });

  test('trailers of the request are dropped', async () => {
    const answer = await sendRaw(
      world.port,
      `POST /echo HTTP/1.1\r\nHost: ${world.hostHeader(open)}\r\nTransfer-Encoding: chunked\r\nTrailer: x-vercel-oidc-token\r\nConnection: close\r\n\r\n4\r\nbody\r\n0\r\nX-Vercel-Oidc-Token: forged\r\nX_Other: forged\r\n\r\n`,
    );
    expect(answer.status).toBe(200);
    expect(world.upstream.received[0]?.body).toBe('body');
    expect(JSON.stringify(world.upstream.received)).not.toContain('forged');
  });

  test('100-continue is answered by us', async () => {
    const { request, answer } = begin(open, '/sum', {
      method: 'POST',
      headers: { expect: '100-continue', 'content-length': '4' },
    });
    await new Promise((resolve) => request.once('continue', resolve));
    request.end('body');
    expect(JSON.parse(await textOf(await answer))).toMatchObject({ size: 4 });
  });

  test('HEAD, 304 and HTTP/1.0', async () => {
    const head = await world.ask(open, `/big?size=${size}`, { method: 'HEAD' });
    expect(head.headers['content-length']).toBe(String(size));
    expect(head.text).toBe('');
    const unchanged = await world.ask(open, '/not-modified', { headers: { 'if-none-match': '"x"' } });
    expect([unchanged.status, unchanged.headers['etag']]).toEqual([304, '"x"']);
    const old = await sendRaw(
      world.port,
      `GET /trailers HTTP/1.0\r\nHost: ${world.hostHeader(open)}\r\n\r\n`,
    );
    expect(old.text).toMatch(/\r\n\r\nbody$/);
  });

  test('DELETE, PUT and PATCH with bodies, POST with none', async () => {
    for (const method of ['DELETE', 'PUT', 'PATCH', 'POST', 'OPTIONS', 'GET']) {
      await world.ask(open, '/echo', { method, body: `of ${method}` });
      expect(world.upstream.received.at(-1)).toMatchObject({ method, body: `of ${method}` });
    }
    await sendRaw(
      world.port,
      `POST /echo HTTP/1.1\r\nHost: ${world.hostHeader(open)}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    );
    const empty = world.upstream.received.at(-1);
    expect(empty?.headers.filter(([name]) => name.toLowerCase() === 'content-length')).toEqual([
      ['content-length', '0'],
    ]);
  });

  test('a hundred requests on one connection, in order', async () => {
    const one = (index: number) => `GET /n/${index} HTTP/1.1\r\nHost: ${world.hostHeader(open)}\r\n\r\n`;
    const answer = await sendRaw(world.port, Array.from({ length: 100 }, (_, index) => one(index)).join(''));
    const urls = [...answer.text.matchAll(/"url":"(\/n\/\d+)"/g)].map(([, url]) => url);
    expect(urls).toEqual(Array.from({ length: 100 }, (_, index) => `/n/${index}`));
  });
});

describe('an upload that is refused', () => {
  test('is told so, however long it is', async () => {
    for (let round = 0; round < 5; round++) {
      const answer = await world.ask(host, '/upload', {
        method: 'POST',
        body: Buffer.alloc(20 * 1024 * 1024),
        headers: { accept: 'application/json' },
      });
      expect(answer.status).toBe(401);
      expect(answer.json()).toMatchObject({ error: { code: 'SIGN_IN_REQUIRED' } });
    }
    expect(world.upstream.received).toEqual([]);
  });
});

describe('an upstream that fails', () => {
  const cases: [name: string, path: string, status: number, code: string][] = [
    ['does not speak HTTP', '/broken', 502, 'UPSTREAM_FAILED'],
  ];
  test.each(cases)('%s', async (_, path, status, code) => {
    const json = await world.ask(open, path, { headers: { accept: 'application/json' } });
    expect(json.status).toBe(status);
    expect(json.headers['x-vercel-error']).toBe(code);
    expect(json.json()).toMatchObject({ error: { code }, reference: json.headers['x-vercel-id'] });
  });

  test('is down: a page or JSON with the reference', async () => {
    const down = 'down.app.localhost';
    world.site(down, { upstream: `http://127.0.0.1:${await findFreePort()}`, passport: null });
    const json = await world.ask(down, '/', {
      method: 'POST',
      body: 'x'.repeat(100_000),
      headers: { accept: '*/*' },
    });
    expect(json.status).toBe(502);
    expect(json.headers['x-vercel-error']).toBe('UPSTREAM_UNREACHABLE');
    const page = await world.ask(down, '/', { headers: navigation });
    expect(page.status).toBe(502);
    expect(page.text).toContain(String(page.headers['x-vercel-id']));
    expect(page.text).not.toContain('127.0.0.1');
  });

  test('closes a connection as it is used again: what asks is asked again, what changes something is not', async () => {
    expect((await world.ask(open, '/once-closed?1')).text).toBe('asked again');
    expect((await world.ask(open, '/once-closed?2', { method: 'POST', body: 'x' })).status).toBe(502);
    expect((await world.ask(open, '/once-closed?3', { method: 'DELETE' })).status).toBe(502);
  });

  test('breaks off: the answer is cut and not ended', async () => {
    await expect(world.ask(open, '/cut')).rejects.toThrow(/aborted|hang up|ECONNRESET/);
  });

  test.each([
    'http://169.254.169.254',
    'http://[::ffff:169.254.169.254]',
    'http://[fe80::1]',
    'http://0.0.0.0:1',
    'http://10.0.0.1',
    'http://8.8.8.8',
    'http://[::ffff:10.0.0.1]',
    'http://[64:ff9b::7f00:1]',
    'http://255.255.255.255',
  ])('or lies where no deployment may (%s) is not reached', async (upstream) => {
    const far = 'far.app.localhost';
    world.site(far, { upstream, passport: null });
    const answer = await world.ask(far, '/');
    expect(answer.status).toBe(502);
    expect(answer.headers['x-vercel-error']).toBe('UPSTREAM_NOT_ALLOWED');
  });

  test.each([['127.0.0.1'], ['localhost'], ['[::1]'], ['x.localhost'], ['127.1.2.3']])(
    'or is this server itself by %s is not reached',
    async (name) => {
      const loop = 'loop.app.localhost';
      world.site(loop, { upstream: `http://${name}:${world.port}`, passport: null });
      expect((await world.ask(loop, '/')).headers['x-vercel-error']).toBe('UPSTREAM_NOT_ALLOWED');
    },
  );
});

describe('a WebSocket (advisory-extra: websockets, security-93)', () => {
  const handshake = (at: string, path: string, headers = '') =>
    `GET ${path} HTTP/1.1\r\nHost: ${world.hostHeader(at)}\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`;

  function openSocket(bytes: string) {
    const socket = connect(world.port, '127.0.0.1');
    let text = '';
    let closed = false;
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      closed = true;
    });
    socket.write(Buffer.from(bytes, 'latin1'));
    return { socket, text: () => text, closed: () => closed };
  }

  test('passes with a session, in both directions, with our headers and no cookie of ours', async () => {
    const connection = openSocket(
      `${handshake(host, '/socket', `Cookie: theirs=1; ${cookieHeader()}\r\nOrigin: ${world.originOf(host)}\r\nX-Vercel-Oidc-Passport-Token: forged\r\n`)}early bytes`,
    );
    await expect.poll(connection.text).toContain('early bytes');
    expect(connection.text()).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(connection.text()).toContain('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    expect(connection.text()).not.toContain('evil');
    const big = randomBytes(300_000).toString('hex');
    connection.socket.write(big);
    await expect.poll(() => connection.text().endsWith(big)).toBe(true);
    const [upgrade] = world.upstream.received;
    const headers = Object.fromEntries(
      (upgrade?.headers ?? []).map(([name, value]) => [name.toLowerCase(), value]),
    );
    expect(headers).toMatchObject({ cookie: 'theirs=1', upgrade: 'websocket', connection: 'Upgrade' });
    expect(headers['x-vercel-oidc-passport-token']).toMatch(/^ey/);
    expect(headers['x-vercel-oidc-token']).toMatch(/^ey/);
    const before = world.upstream.sockets.size;
    connection.socket.destroy();
    await expect.poll(() => world.upstream.sockets.size).toBeLessThan(before);
  });

  test('brings nothing that a client says in our name, in any spelling (advisory-01, advisory-05)', async () => {
    const names = ['x-vercel-oidc-passport-token', 'x-vercel-oidc-token', 'x-forwarded-user', 'forwarded'];
    const lines = names.flatMap((name) =>
      [...".!#$%&'*+^_`|~-"].flatMap((separator) => {
        const spelled = name.replaceAll('-', separator);
        return [`${spelled}: forged`, `${spelled.toUpperCase()}: forged`];
      }),
    );
    const answer = await sendRaw(
      world.port,
      handshake(
        host,
        '/socket',
        `Cookie: ${cookieHeader()}\r\nConnection: ${names.join(', ')}\r\n${lines.join('\r\n')}\r\n`,
      ),
    );
    expect(answer.status).toBe(101);
    const [upgrade] = world.upstream.received;
    expect(JSON.stringify(upgrade)).not.toContain('forged');
    const arrived = (upgrade?.headers ?? []).map(([name]) => name.toLowerCase());
    for (const name of ['x-vercel-oidc-passport-token', 'x-vercel-oidc-token', 'forwarded'])
      expect(arrived.filter((each) => each === name)).toHaveLength(1);
  });

  test('is refused without a session, with 401 and no redirect', async () => {
    for (const headers of [
      '',
      'Cookie: _vercel_passport=x\r\n',
      'Accept: text/html\r\nSec-Fetch-Mode: websocket\r\n',
    ]) {
      const answer = await sendRaw(world.port, handshake(host, '/socket', headers));
      expect(answer.status).toBe(401);
      expect(answer.closed).toBe(true);
      expect(answer.text).toContain('SIGN_IN_REQUIRED');
    }
    expect(world.upstream.received).toEqual([]);
  });

  test('is refused when the session is over, and cut when its time comes', { timeout: 20_000 }, async () => {
    const brief = 'brief.app.localhost';
    world.site(brief, { passport: { sessionLifetimeSeconds: 60 } });
    const visitor = await world.signIn(brief);
    const cookie = visitor.header(new URL(world.originOf(brief))) ?? '';
    const connection = openSocket(handshake(brief, '/socket', `Cookie: ${cookie}\r\n`));
    await expect.poll(connection.text).toContain('101');
    await pause(2_500);
    expect(connection.closed()).toBe(false);
    world.clock.advance(61_000);
    const late = await sendRaw(world.port, handshake(brief, '/socket', `Cookie: ${cookie}\r\n`));
    expect(late.status).toBe(401);
    await expect.poll(connection.closed, { timeout: 5_000 }).toBe(true);
  });

  test('is refused to a page of another site', async () => {
    for (const origin of ['https://evil.example', 'http://b.app.localhost', 'null']) {
      const answer = await sendRaw(
        world.port,
        handshake(host, '/socket', `Cookie: ${cookieHeader()}\r\nOrigin: ${origin}\r\n`),
      );
      expect(answer.status).toBe(403);
    }
    expect(world.upstream.received).toEqual([]);
  });

  test('that the upstream will not open is answered as it answered', async () => {
    const answer = await sendRaw(world.port, handshake(open, '/no-socket'));
    expect(answer.status).toBe(426);
    expect(answer.text).toMatch(/nope$/);
    expect(answer.closed).toBe(true);
  });

  test('to an upstream that is down is 502', async () => {
    world.site('down2.app.localhost', {
      upstream: `http://127.0.0.1:${await findFreePort()}`,
      passport: null,
    });
    expect((await sendRaw(world.port, handshake('down2.app.localhost', '/'))).status).toBe(502);
  });

  test('is cut when the visitor signs out', { timeout: 20_000 }, async () => {
    const leaving = await world.signIn(host, createCookieJar());
    const cookie = leaving.header(new URL(world.originOf(host))) ?? '';
    const connection = openSocket(handshake(host, '/socket', `Cookie: ${cookie}\r\n`));
    await expect.poll(connection.text).toContain('101');
    await world.navigate(host, world.wire.signOutPath, leaving);
    await expect.poll(connection.closed, { timeout: 10_000 }).toBe(true);
  });
});
