import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createCertificate } from '../harness/certificate.ts';
import { createCookieJar, type CookieJar } from '../harness/cookie-jar.ts';
import type { Echo } from './echo-upstream.ts';
import { navigation, startGatewayWorld, type GatewayWorld } from './gateway-world.ts';

const host = 'a.app.localhost';
const forged = 'forged-by-the-sender';

let folder: string;
let world: GatewayWorld;
let session: ClientHttp2Session;
let jar: CookieJar;

function writePair(name: string, names: readonly string[]) {
  const { certificate, key } = createCertificate(names);
  const files = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  writeFileSync(files.key, key);
  writeFileSync(files.certificate, certificate);
  return files;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tessera-tls-'));
  const certificates = [writePair('id', ['id.example.com']), writePair('apps', ['*.app.localhost'])];
  world = await startGatewayWorld({ https: true, certificates });
  session = connectHttp2(`https://${host}`, { createConnection: () => open(['h2']) });
  session.on('error', () => {});
  await new Promise((resolve) => session.once('connect', resolve));
  jar = await signIn();
});
afterAll(async () => {
  session?.close();
  await world?.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  world.upstream.received.length = 0;
});

function open(protocols: string[], servername = host): TLSSocket {
  return connectTls({
    port: world.port,
    host: '127.0.0.1',
    servername,
    ALPNProtocols: protocols,
    rejectUnauthorized: false,
  });
}

type Answer = {
  status: number;
  headers: Record<string, unknown>;
  trailers: Record<string, unknown>;
  text: string;
};

function ask(headers: OutgoingHttpHeaders, body?: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':authority': host, ...headers }, { endStream: body === undefined });
    const answer: Answer = { status: 0, headers: {}, trailers: {}, text: '' };
    stream.on('response', (received) => {
      answer.status = Number(received[':status']);
      answer.headers = received;
    });
    stream.on('trailers', (received) => {
      answer.trailers = received;
    });
    stream.on('data', (chunk: Buffer) => {
      answer.text += chunk.toString('latin1');
    });
    stream.once('error', reject);
    stream.once('close', () => resolve(answer));
    if (body !== undefined) stream.end(body);
  });
}

const cookies = () => jar.header(new URL(`https://${host}`)) ?? '';
const header = (echo: Echo | undefined, name: string) =>
  (echo?.headers ?? []).filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);

async function signIn(): Promise<CookieJar> {
  const fresh = createCookieJar();
  const url = new URL(`https://${host}`);
  const start = await ask({ ':path': '/', ...navigation });
  fresh.store(url, start.headers['set-cookie'] as string[]);
  const code = await world.handOff(String(start.headers['location']));
  const cookie = fresh.header(url) ?? '';
  const finished = await ask({ ':path': world.finishPath(code), cookie, ...navigation });
  fresh.store(url, finished.headers['set-cookie'] as string[]);
  return fresh;
}

describe('over TLS', () => {
  test('the certificate is that of the host, and another one after it was renewed', async () => {
    const subjectOf = async (servername: string) => {
      const socket = open(['http/1.1'], servername);
      await new Promise((resolve) => socket.once('secureConnect', resolve));
      const certificate = socket.getPeerX509Certificate();
      socket.destroy();
      return { names: certificate?.subjectAltName, fingerprint: certificate?.fingerprint256 };
    };
    expect((await subjectOf('id.example.com')).names).toBe('DNS:id.example.com');
    const before = await subjectOf(host);
    expect(before.names).toBe('DNS:*.app.localhost');
    expect((await subjectOf('nobody.example')).names).toBe('DNS:id.example.com');

    // Broken in between: the one before stays.
    writeFileSync(join(folder, 'apps.key'), 'half of a k');
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect((await subjectOf(host)).fingerprint).toBe(before.fingerprint);
    writePair('apps', ['*.app.localhost']);
    let now = before;
    for (let tries = 0; tries < 50 && now.fingerprint === before.fingerprint; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      now = await subjectOf(host);
    }
    expect(now.names).toBe(before.names);
    expect(now.fingerprint).not.toBe(before.fingerprint);
  });

  test('HTTP/1.1 is spoken too, and opens WebSockets', async () => {
    const socket = open(['http/1.1']);
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
    });
    socket.write(
      `GET /socket HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookies()}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    for (let tries = 0; tries < 100 && !received.includes('\r\n\r\n'); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(received).toMatch(/^HTTP\/1\.1 101 /);
    socket.destroy();
  });
});

describe('over HTTP/2', () => {
  test('a visitor signs in, and the deployment is asked in HTTP/1.1', async () => {
    const answer = await ask({ ':path': '/page?x=1', cookie: cookies(), 'x-mine': 'kept' });
    expect(answer.status, answer.text).toBe(200);
    const echo = world.upstream.received.at(-1);
    expect(echo?.url).toBe('/page?x=1');
    expect(header(echo, 'host')).toEqual([host]);
    expect(header(echo, 'x-mine')).toEqual(['kept']);
    expect(header(echo, 'x-forwarded-proto')).toEqual(['https']);
    expect(header(echo, 'x-vercel-oidc-passport-token')).toHaveLength(1);
    expect(echo?.headers.filter(([name]) => name.startsWith(':'))).toEqual([]);
    expect(answer.headers['connection']).toBeUndefined();
  });

  test('a program without a session gets 401, an unknown host 404', async () => {
    expect((await ask({ ':path': '/' })).status).toBe(401);
    expect((await ask({ ':path': '/', ':authority': 'nobody.app.localhost' })).status).toBe(404);
    expect((await ask({ ':path': '/', ':authority': `${host}:1` })).status).toBe(400);
    expect(world.upstream.received).toEqual([]);
  });

  test('cookies that come in crumbs are one header', async () => {
    const crumbs = [...cookies().split('; '), 'theirs=1', 'last=2'];
    const answer = await ask({ ':path': '/', cookie: crumbs });
    expect(answer.status).toBe(200);
    expect(header(world.upstream.received.at(-1), 'cookie')).toEqual(['theirs=1; last=2']);
    const twice = await ask({ ':path': '/', cookie: [...crumbs, '_vercel_passport=tossed'] });
    expect(twice.status).toBe(401);
  });

  test('bodies, several cookies of an answer, trailers and what has no body', async () => {
    const body = Buffer.alloc(300_000, 'b');
    const sum = await ask({ ':method': 'POST', ':path': '/sum', cookie: cookies() }, body);
    expect(JSON.parse(sum.text)).toMatchObject({ size: 300_000 });
    expect(header(world.upstream.received.at(-1), 'transfer-encoding')).toEqual(['chunked']);
    const sized = { ':method': 'PUT', ':path': '/', cookie: cookies(), 'content-length': '5' };
    expect((await ask(sized, 'hello')).status).toBe(200);
    expect(world.upstream.received.at(-1)).toMatchObject({ method: 'PUT', body: 'hello' });

    const set = await ask({ ':path': '/cookies', cookie: cookies() });
    expect(set.headers['set-cookie']).toEqual(['own=1; Path=/', 'same=1; Domain=a.app.localhost']);
    const trailers = await ask({ ':path': '/trailers', cookie: cookies(), te: 'trailers' });
    expect(trailers.trailers).toMatchObject({ 'x-sum': '42' });
    expect(JSON.stringify(trailers.trailers)).not.toContain('vercel');
    expect((await ask({ ':method': 'HEAD', ':path': '/', cookie: cookies() })).status).toBe(200);
    expect((await ask({ ':path': '/not-modified', cookie: cookies() })).status).toBe(304);
    const big = await ask({ ':path': '/big?size=2000000', cookie: cookies() });
    expect(big.text).toHaveLength(2_000_000);
  });

  test('no identity header of the sender arrives, and no path in two readings (advisory-01, advisory-11)', async () => {
    for (const name of [
      'x-vercel-oidc-passport-token',
      'x-vercel-oidc-token',
      'x-vercel-trusted-oidc-idp-token',
      'x-vercel-protection-bypass',
      'x-vercel-id',
      'x-vercel-made-up',
      'x-forwarded-for',
      'x-forwarded-host',
      'x-forwarded-user',
      'forwarded',
      'x-real-ip',
      'x-original-url',
    ]) {
      for (const separator of ['-', ..."!#$%&'*+.^_`|~"]) {
        const spelled = name.replaceAll('-', separator);
        const answer = await ask({ ':path': '/', cookie: cookies(), [spelled]: [forged, forged] });
        expect([spelled, answer.status]).toEqual([spelled, 200]);
        expect(answer.text, spelled).not.toContain(forged);
        const tokens = header(world.upstream.received.at(-1), 'x-vercel-oidc-passport-token');
        expect(tokens, spelled).toEqual([expect.stringMatching(/^eyJ/)]);
      }
    }
    world.upstream.received.length = 0;
    for (const path of ['/a/../b', '/a/%2e%2e/b', '/a\\b', '/a#b', '/%zz', '*', 'http://evil.example/']) {
      // Some of these are no HTTP/2 at all, and their stream is reset.
      const answer = await ask({ ':path': path, cookie: cookies() }).catch(() => ({ status: 400 }));
      expect(answer.status, path).toBe(400);
    }
    expect(world.upstream.received).toEqual([]);
  });

  test('CONNECT is refused, with a protocol and without (advisory-24)', async () => {
    const tunnel = connectHttp2(`https://${host}`, { createConnection: () => open(['h2']) });
    tunnel.on('error', () => {});
    const outcome = await new Promise((resolve) => {
      const stream = tunnel.request({ ':method': 'CONNECT', ':authority': host });
      stream.once('response', (headers) => resolve(headers[':status']));
      stream.once('error', () => resolve('reset'));
      stream.end();
    });
    expect([405, 'reset']).toContain(outcome);
    tunnel.destroy();
    expect(
      await sendFrames([[':method', 'CONNECT'], [':protocol', 'websocket'], ...pseudo('GET').slice(1)]),
    ).toBe('reset');
    expect(world.upstream.received).toEqual([]);
  });

  test.each<[string, [string, string][]]>([
    ['a transfer encoding', [...pseudo(), ['transfer-encoding', 'chunked']]],
    ['a method in lower case', pseudo('trace')],
    ['TRACE', pseudo('TRACE')],
    ['TRACK', pseudo('TRACK')],
    ['the preface as a method', pseudo('PRI', '*')],
    ['the preface as a method, with a path', pseudo('PRI')],
    ['two credentials', [...pseudo(), ['authorization', 'Bearer one'], ['authorization', 'Bearer two']]],
    ['two content types', [...pseudo('POST'), ['content-type', 'a/b'], ['content-type', 'c/d']]],
    ['a connection header', [...pseudo(), ['connection', 'close']]],
    ['an upgrade', [...pseudo(), ['upgrade', 'websocket']]],
    ['a proxy-connection', [...pseudo(), ['proxy-connection', 'keep-alive']]],
    ['a te that is no trailers', [...pseudo(), ['te', 'gzip']]],
    ['a name in capitals', [...pseudo(), ['X-Mine', '1']]],
    ['a line end in the path', [...pseudo('GET', '/ HTTP/1.1\r\nx-mine: 1\r\n\r\nGET /')]],
    ['a space in the method', [...pseudo('GET / HTTP/1.1', '/')]],
    ['two paths', [...pseudo(), [':path', '/other']]],
    ['no path', pseudo().filter(([name]) => name !== ':path')],
    ['a pseudo-header after another', [...pseudo().slice(1), ['x-mine', '1'], [':method', 'GET']]],
    ['an unknown pseudo-header', [...pseudo(), [':host', 'open.app.localhost']]],
    ['another host than the authority', [...pseudo(), ['host', 'open.app.localhost']]],
    ['two hosts', [...pseudo(), ['host', host], ['host', 'open.app.localhost']]],
    ['another scheme', pseudo().map(([name, value]) => [name, name === ':scheme' ? 'http' : value])],
    ['a length and no body', [...pseudo('POST'), ['content-length', '5']]],
    ['two lengths', [...pseudo('POST'), ['content-length', '0'], ['content-length', '5']]],
  ])('%s is refused, and nothing arrives (security-92)', async (_title, headers) => {
    const outcome = await sendFrames([...headers, ['cookie', cookies()]]);
    expect(['reset', '400', '401', '404', '405']).toContain(outcome);
    expect(world.upstream.received).toEqual([]);
    expect((await ask({ ':path': '/', cookie: cookies() })).status).toBe(200);
  });
  test.each<[string, [string, string]]>([
    ['value', ['x-mine', 'a\r\nx-vercel-oidc-token: forged-by-the-sender']],
    ['value', ['x-mine', 'a\nx-vercel-oidc-token: forged-by-the-sender']],
    ['value', ['x-mine', 'a\0forged-by-the-sender']],
    ['name', ['x-mine: forged-by-the-sender\r\nx-other', '1']],
    ['name', ['', forged]],
  ])('a header with a line end in its %s does not arrive (security-92)', async (_part, field) => {
    await sendFrames([...pseudo(), field, ['cookie', cookies()]]);
    expect(JSON.stringify(world.upstream.received)).not.toContain(forged);
    expect(world.upstream.received.length).toBeLessThanOrEqual(1);
  });
});

function pseudo(method = 'GET', path = '/'): [string, string][] {
  return [
    [':method', method],
    [':path', path],
    [':scheme', 'https'],
    [':authority', host],
  ];
}

/** Sends one HEADERS frame with exactly these fields, which no client would: `:status` of the answer, or `reset`. */
function sendFrames(fields: readonly (readonly [string, string])[]): Promise<string> {
  const literal = (text: string) => {
    const bytes = Buffer.from(text, 'latin1');
    return Buffer.concat([prefixed(bytes.length), bytes]);
  };
  const block = Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0x10]), literal(name), literal(value)]),
  );
  const frame = (type: number, flags: number, stream: number, payload: Buffer) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  };
  return new Promise((resolve) => {
    const socket = open(['h2']);
    let received = Buffer.alloc(0);
    const finish = (outcome: string) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.once('secureConnect', () => {
      socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
      socket.write(frame(4, 0, 0, Buffer.alloc(0)));
      // END_STREAM and END_HEADERS.
      socket.write(frame(1, 0x5, 1, block));
    });
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 9 && received.length >= 9 + received.readUIntBE(0, 3)) {
        const length = received.readUIntBE(0, 3);
        const [type, payload] = [received[3], received.subarray(9, 9 + length)];
        received = received.subarray(9 + length);
        if (type === 3 || type === 7) finish('reset');
        if (type === 1) finish(statusOf(payload));
      }
    });
    socket.on('error', () => finish('reset'));
    socket.once('close', () => finish('reset'));
    socket.setTimeout(5_000, () => finish('silence'));
  });
}

/** An integer of HPACK with a prefix of seven bits (RFC 7541 section 5.1). */
function prefixed(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let left = value - 127;
  for (; left >= 128; left >>= 7) bytes.push((left & 127) | 128);
  return Buffer.from([...bytes, left]);
}

/** `:status` comes first: an entry of the static table, or a literal that begins with its digits. */
function statusOf(block: Buffer): string {
  const indexed: Record<number, string> = { 0x88: '200', 0x8b: '304', 0x8c: '400', 0x8d: '404', 0x8e: '500' };
  const first = block[0] ?? 0;
  if (indexed[first] !== undefined) return indexed[first];
  const [length = 0] = block.subarray(1);
  const text = block.subarray(2, 2 + (length & 0x7f));
  // Huffman's code of digits has five or six bits; the statuses that occur here are known by their bytes.
  const huffman: Record<string, string> = { '680d': '401', '681a': '403', '682f': '405' };
  return (length & 0x80) === 0
    ? text.toString()
    : (huffman[text.toString('hex').slice(0, 4)] ?? text.toString('hex'));
}
