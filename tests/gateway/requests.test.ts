import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createCookieJar } from '../harness/cookie-jar.ts';
import { sendRaw } from './echo-upstream.ts';
import { navigation, startGatewayWorld, type GatewayWorld } from './gateway-world.ts';

const host = 'a.app.localhost';
const open = 'open.app.localhost';

let world: GatewayWorld;
beforeAll(async () => {
  world = await startGatewayWorld();
});
afterAll(() => world.close());
beforeEach(() => {
  world.upstream.received.length = 0;
});

const raw = (target: string, { at = open, method = 'GET', headers = '' } = {}) =>
  sendRaw(
    world.port,
    `${method} ${target} HTTP/1.1\r\nHost: ${world.hostHeader(at)}\r\n${headers}Connection: close\r\n\r\n`,
  );

describe('the host', () => {
  test('is one however it is spelled (advisory-15)', async () => {
    const jar = await world.signIn(host);
    const { port } = world;
    for (const spelled of [
      `A.App.LocalHost:${port}`,
      `a.app.localhost.:${port}`,
      'A.APP.LOCALHOST.',
      'a.app.localhost',
    ]) {
      const open = await world.ask(host, '/', { headers: { host: spelled, accept: 'application/json' } });
      expect(open.status, spelled).toBe(401);
      const cookie = jar.header(new URL(world.originOf(host))) ?? '';
      const visit = await world.ask(host, '/', { headers: { host: spelled, ...navigation, cookie } });
      expect(visit.status, spelled).toBe(200);
      const [arrived] =
        world.upstream.received.at(-1)?.headers.filter(([name]) => name.toLowerCase() === 'host') ?? [];
      expect(arrived?.[1]).toBe(world.hostHeader(host));
    }
  });

  test.each([
    'a.app.localhost:1',
    'a.app.localhost:',
    'a.app.localhost:99999999',
    'a.app.localhost..',
    '.a.app.localhost',
    'a..app.localhost',
    'a.app.localhost/x',
    'x@a.app.localhost',
    'a.app.localhost#',
    'a.app.localhost?x',
    'a.app.localhost, b.app.localhost',
    'a%2eapp.localhost',
    'a\u3002app.localhost',
    '\u24d0.app.localhost',
    'a.app.localhost\u00a0',
    `${'a'.repeat(300)}.app.localhost`,
    '-a.app.localhost',
  ])('%j is refused', async (spelled) => {
    const answer = await sendRaw(
      world.port,
      Buffer.from(`GET / HTTP/1.1\r\nHost: ${spelled}\r\nConnection: close\r\n\r\n`),
    );
    expect(answer.status).toBe(400);
    expect(world.upstream.received).toEqual([]);
  });

  test.each([
    'nobody.app.localhost',
    '127.0.0.1',
    '[::1]',
    'localhost.evil.example',
    'app.localhost',
    'xn--app-0ia.localhost',
  ])('%s that no deployment has is not found', async (name) => {
    const json = await world.ask(name, '/', { headers: { host: name, accept: 'application/json' } });
    expect(json.status).toBe(404);
    expect(json.headers['x-vercel-error']).toBe('DEPLOYMENT_NOT_FOUND');
    expect(json.json()).toMatchObject({
      error: { code: 'DEPLOYMENT_NOT_FOUND' },
      reference: json.headers['x-vercel-id'],
    });
    const page = await world.ask(name, '/', { headers: { host: name, ...navigation } });
    expect(page.status).toBe(404);
    expect(page.text).toContain('id="error-code">DEPLOYMENT_NOT_FOUND<');
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
  });

  test.each([
    ['none', ''],
    ['two', 'Host: open.app.localhost\r\nHost: open.app.localhost\r\n'],
    ['two that differ', 'Host: open.app.localhost\r\nhost: a.app.localhost\r\n'],
    ['an empty one', 'Host:\r\n'],
  ])('must be named once: %s', async (_, lines) => {
    const answer = await sendRaw(world.port, `GET / HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`);
    expect(answer.status).toBe(400);
    expect(world.upstream.received).toEqual([]);
  });
});

describe('the path (advisory-11, advisory-12, security-87)', () => {
  test.each([
    '/a/../b',
    '/..',
    '/./a',
    '/a/.',
    '/%2e%2e/a',
    '/a/%2E./b',
    '/a/.%2e',
    '/a/..;x=1/b',
    '/a/..%3bx/b',
    '/a%2f..%2fb',
    '/a/..%2Fb',
    '/\\evil',
    '/a\\..\\b',
    '/a%5cb',
    '/a%5C..%5Cb',
    '/a%00b',
    '/a%0d%0aX: y',
    '/a%09b',
    '/a%7fb',
    '/a%252e%252e/b',
    '/a%252fb',
    '/a%25252fb',
    '/a%255cb',
    '/a%2500b',
    '/a%',
    '/a%2',
    '/a%zz',
    '/a#b',
    '/secret%23/../b',
    'http://open.app.localhost/a',
    'http://a.app.localhost/',
    '//open.app.localhost/..',
    '*',
    'a',
    '/\u00e9',
    '/a?b#c',
    '/a?\u00ff',
  ])('%j is refused', async (target) => {
    const answer = await raw(target);
    expect(answer.status).toBe(400);
    expect(world.upstream.received).toEqual([]);
  });

  test.each([
    '//',
    '//a//b',
    '///evil.example/',
    '/a%2fb',
    '/@scope%2Fname',
    '/a;b=c/d',
    '/a%3bb',
    '/100%25',
    '/a%2525b',
    '/.well-known/acme',
    '/...',
    '/.a/..b/c..',
    '/a%20b%C3%A9',
    '/foo/secret%23/bar',
    '/a%3fb',
    "/!$&'()*+,=:@~_-.",
    '/[a]{b}|^`"<>',
    '/?',
    '/?a=%zz&b=%00&../',
  ])(
    '%j is forwarded byte for byte where that is allowed, and decided about in the same bytes',
    async (target) => {
      expect((await raw(target)).status).toBe(200);
      expect(world.upstream.received.at(-1)?.url).toBe(target);
      expect((await raw(target, { at: host })).status).toBe(401);
      expect(world.upstream.received).toHaveLength(1);
    },
  );

  test.each([
    '/.well-known/vercel/passport',
    '/.well-known/vercel/passport/',
    '/.well-known/vercel/passport/other',
    '/.well-known/vercel/passport/finish/',
    '/.well-known/vercel/passport/FINISH?code=x',
    '/.well-known/vercel/passport/%66inish?code=x',
    '/.Well-Known/vercel/passport/finish?code=x',
    '//.well-known//vercel/passport/finish?code=x',
    '/.well-known/vercel/passport/finish;a?code=x',
    '/%2ewell-known/vercel/passport%2ffinish?code=x',
  ])('%s is ours, and reaches no upstream', async (target) => {
    expect((await raw(target)).status).toBe(404);
    expect((await raw(target, { at: host })).status).toBe(404);
    expect(world.upstream.received).toEqual([]);
  });

  test('is the only thing that names what is asked for (advisory-08, advisory-09)', async () => {
    const headers =
      'X-Forwarded-Uri: /public\r\nX-Original-URL: /public\r\nX-Rewrite-URL: /public\r\nX-Forwarded-Host: open.app.localhost\r\n' +
      'X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nX-Original-Host: open.app.localhost\r\nX-Envoy-Original-Path: /public\r\nX-Original-Method: OPTIONS\r\n' +
      'Forwarded: host=open.app.localhost\r\nX-Forwarded-Method: OPTIONS\r\nX-HTTP-Method-Override: OPTIONS\r\nUser-Agent: kube-probe/1.30\r\n';
    expect((await raw('/secret', { at: host, headers })).status).toBe(401);
    expect((await raw('/secret?x=/public/', { at: host })).status).toBe(401);
    for (const method of ['OPTIONS', 'HEAD', 'PROPFIND', 'DELETE', 'PATCH']) {
      expect((await raw('/secret', { at: host, method })).status).toBe(401);
    }
    expect(world.upstream.received).toEqual([]);
  });
});

describe('requests that two servers would read differently (advisory-24, advisory-25, security-92)', () => {
  const head = () => `POST / HTTP/1.1\r\nHost: ${world.hostHeader(open)}\r\n`;
  test.each([
    ['both lengths', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET'],
    ['both, the other way', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET'],
    ['two lengths', 'Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde'],
    ['two equal lengths', 'Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd'],
    ['a list of lengths', 'Content-Length: 4, 4\r\n\r\nabcd'],
    ['a signed length', 'Content-Length: +4\r\n\r\nabcd'],
    ['a negative length', 'Content-Length: -4\r\n\r\nabcd'],
    ['a hexadecimal length', 'Content-Length: 0x4\r\n\r\nabcd'],
    ['an empty length', 'Content-Length:\r\n\r\nabcd'],
    ['a space before the colon', 'Content-Length : 4\r\n\r\nabcd'],
    ['a spaced encoding', 'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n'],
    ['an unknown encoding', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
    ['two encodings', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n'],
    ['two encodings in one', 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['chunked twice', 'Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n'],
    ['an encoding with a tab', 'Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n'],
    ['a folded header', 'Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n'],
    ['a folded other header', 'X-Folded: a\r\n b\r\n\r\n'],
    ['a bare line feed', 'X-Bare: a\nX-Forged: b\r\n\r\n'],
    ['a bare carriage return', 'X-Bare: a\rX-Forged: b\r\n\r\n'],
    ['a NUL in a value', 'X-Nul: a\0b\r\n\r\n'],
    ['a name with a space', 'X Name: a\r\n\r\n'],
    ['a line without a colon', 'X-Name\r\n\r\n'],
    ['a chunk size that is none', 'Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n'],
    ['a chunk that is longer than its size', 'Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n'],
    ...(
      [
        ['a space before its extension', '4 ;a=b'],
        ['an extension that a line feed ends', '4;a=b\nbody\r\n0\r\n\r\n5'],
        ['a carriage return in its extension', '4;a\rb'],
        ['a line end in a quoted extension', '4;a="b\r\nc"'],
        ['a NUL in its extension', '4;a=\0'],
        ['a second size behind its extension', '4;a=b, 5'],
        ['empty extensions', '4;;'],
        ['a line feed alone', '4\nbody\r\n0\r\n\r\n5'],
        ['a space before its size', ' 4'],
        ['a sign', '+4'],
        ['a hexadecimal prefix', '0x4'],
        ['a size beyond all numbers', '1000000000000000004'],
      ] as const
    ).map(([what, line]) => [
      `a chunk with ${what}`,
      `Transfer-Encoding: chunked\r\n\r\n${line}\r\nbody\r\n0\r\n\r\n`,
    ]),
  ])('%s: refused, and the connection is closed', async (_, rest) => {
    const answer = await sendRaw(world.port, head() + rest);
    expect(answer.status).toBe(400);
    expect(answer.closed).toBe(true);
    expect(answer.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    // A body that turns out wrong may have begun to flow; the request is then cut off at the upstream as well.
    expect(world.upstream.received.filter(({ url, method }) => url !== '/' || method !== 'POST')).toEqual([]);
  });

  test('chunk extensions end here, and the body goes on in chunks of ours', async () => {
    for (const body of [
      '4;a=b\r\nbody\r\n0\r\n\r\n',
      '4;a;b="c"\r\nbody\r\n0;last\r\n\r\n',
      '2;a=GET\r\nbo\r\n02;admin\r\ndy\r\n00\r\n\r\n',
    ]) {
      const next = `GET /next HTTP/1.1\r\nHost: ${world.hostHeader(open)}\r\nConnection: close\r\n\r\n`;
      world.upstream.received.length = 0;
      const answer = await sendRaw(world.port, `${head()}Transfer-Encoding: chunked\r\n\r\n${body}${next}`);
      expect(answer.text.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
      expect(world.upstream.received.map(({ url, body: arrived }) => [url, arrived])).toEqual([
        ['/', 'body'],
        ['/next', ''],
      ]);
    }
  });

  test.each([
    ['TRACE', 405],
    ['TRACK', 400],
    ['CONNECT', 0],
    ['get', 400],
    ['FOO', 400],
  ])('the method %s is not forwarded', async (method, status) => {
    const answer = await raw(method === 'CONNECT' ? 'open.app.localhost:443' : '/', { method });
    expect(answer.status).toBe(status);
    expect(world.upstream.received).toEqual([]);
  });

  test('HTTP/1.0 with Transfer-Encoding, and without Host', async () => {
    const chunked = `POST / HTTP/1.0\r\nHost: ${world.hostHeader(open)}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
    expect((await sendRaw(world.port, chunked)).status).toBe(400);
    expect((await sendRaw(world.port, 'GET / HTTP/1.0\r\n\r\n')).status).toBe(400);
    expect(
      (await sendRaw(world.port, `GET / HTTP/1.0\r\nHost: ${world.hostHeader(open)}\r\n\r\n`)).status,
    ).toBe(200);
    expect(world.upstream.received).toHaveLength(1);
  });

  test.each(['h2c', 'HTTP/2.0', 'TLS/1.0', 'websocket, h2c', 'h2c, websocket', 'foo'])(
    'an upgrade to %s is refused before anything is decided',
    async (protocol) => {
      for (const at of [open, host]) {
        const answer = await sendRaw(
          world.port,
          `GET / HTTP/1.1\r\nHost: ${world.hostHeader(at)}\r\nUpgrade: ${protocol}\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
        );
        expect(answer.status).toBe(400);
        expect(answer.closed).toBe(true);
      }
      expect(world.upstream.received).toEqual([]);
    },
  );

  test('a request line without a version', async () => {
    const answer = await sendRaw(world.port, `GET /\r\nHost: ${world.hostHeader(open)}\r\n\r\n`);
    expect(answer.status).toBe(400);
    expect(world.upstream.received).toEqual([]);
  });

  test('the HTTP/2 preface', async () => {
    const answer = await sendRaw(world.port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    expect([0, 400, 505]).toContain(answer.status);
    expect(world.upstream.received).toEqual([]);
  });
});

describe('cookies that are not ours', () => {
  test('thousands of malformed ones never reach the upstream of a protected deployment (advisory-16)', async () => {
    const jar = await world.signIn(host);
    const good = new Map(jar.list(host).map(({ name, value }) => [name, value]));
    const session = good.get('_vercel_passport') ?? '';
    const companion = good.get('_vercel_passport_companion') ?? '';
    const random = mulberry32(20_261_122);
    const ask = async (cookie: string) => {
      const answer = await world.ask(host, '/', { headers: { accept: 'application/json', cookie } });
      expect(answer.status, JSON.stringify(cookie)).toBe(401);
    };
    for (let round = 0; round < 60; round++) {
      const batch = Array.from({ length: 50 }, () => malform(session, companion, random));
      await Promise.all(batch.map(ask));
    }
    expect(world.upstream.received).toEqual([]);
    // And the unspoilt pair still counts.
    expect((await world.navigate(host, '/', jar)).status).toBe(200);
  });

  test('more than can be read lead to a page that makes the browser forget them', async () => {
    const jar = createCookieJar();
    for (let count = 0; count < 20; count++)
      jar.set({ name: `bomb${count}`, value: 'x'.repeat(1_000), host });
    const answer = await world.navigate(host, '/', jar);
    expect(answer.status).toBe(431);
    expect(answer.headers['clear-site-data']).toBe('"cookies"');
    expect(answer.text).toContain('id="error-reference"');
  });
});

/** A deterministic source of numbers in [0, 1), so that a failing run can be repeated. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A good pair of cookies, spoilt in one of many ways. Each way makes it another pair. */
function malform(session: string, companion: string, random: () => number): string {
  const at = (text: string) => Math.floor(random() * text.length);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  const [header = '', payload = '', signature = ''] = session.split('.');
  const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
  const flip = (text: string) => {
    // Not the last character of a part: some of its bits say nothing.
    const place = at(text.slice(0, -1));
    return `${text.slice(0, place)}${text[place] === 'A' ? 'B' : 'A'}${text.slice(place + 1)}`;
  };
  const spoilt = pick([
    () => session.slice(0, at(session)),
    () => session.slice(1 + at(session)),
    () => `${header}.${flip(payload)}.${signature}`,
    () => `${flip(header)}.${payload}.${signature}`,
    () => `${header}.${payload}.${flip(signature)}`,
    () => `${header}.${payload}`,
    () => `${header}.${payload}.`,
    () => `${base64({ alg: 'none' })}.${payload}.`,
    () => `${base64({ alg: 'NoNe', typ: 'passport-session+jwt' })}.${payload}.${signature}`,
    () => `${base64({ alg: 'HS256', typ: 'passport-session+jwt', kid: 'x' })}.${payload}.${signature}`,
    () => `${header}.${base64({ ...claims, host: 'b.app.localhost' })}.${signature}`,
    () => `${header}.${base64({ ...claims, exp: 9_999_999_999 })}.${signature}`,
    () => `"${session}"`,
    () => encodeURIComponent(session).replaceAll('.', '%2E'),
    () => `${session}${pick(['x', ',', ' x', '.', '=', '%00', '\u00ff', '\t;'])}`,
    () => `${pick(['x', ',', '.', '%20'])}${session}`,
    () => session.replaceAll('.', pick(['..', ',', ':', ' '])),
    () => '',
    () => 'null',
    () => '{"sid":1}',
    () => '\u00ff'.repeat(1 + at(session)),
    () => 'A'.repeat(at(session)),
    () =>
      Array.from({ length: 40 }, () => String.fromCharCode(0x21 + Math.floor(random() * 0xde)))
        .join('')
        .replaceAll(';', ''),
  ])();
  const name = '_vercel_passport';
  return pick([
    () => `${name}=${spoilt}; ${name}_companion=${companion}`,
    () => `${name}_companion=${companion}; ${name}=${spoilt}`,
    () => `${name}=${session}; ${name}_companion=${flip(companion)}`,
    () => `${name}=${session}; ${name}_companion=${companion.slice(0, at(companion))}`,
    () => `${name}=${session}`,
    () => `${name}=${spoilt}; ${name}=${session}; ${name}_companion=${companion}`,
    () => `${name}.0=${session}; ${name}=${spoilt}; ${name}_companion=${companion}`,
    () => `${name}.1=${session}; ${name}_companion=${companion}`,
    () => `${name.toUpperCase()}=${session}; ${name}_companion=${companion}`,
    () => `$Version=1; "${name}"=${session}; ${name}_companion=${companion}`,
    () => `__Host-${name}=${session}; __Host-${name}_companion=${companion}`,
    () => `\u00a0${name}=${session}; ${name}_companion=${companion}`,
    () => `${name} =${session}; ${name}_companion=${companion}`,
    () => `${name}=${session}, ${name}_companion=${companion}`,
    () => `=${name}=${session}; ${name}_companion=${companion}`,
    () => `${name}; ${session}; ${name}_companion=${companion}`,
  ])();
}
