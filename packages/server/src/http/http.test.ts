import { request as sendRequest } from 'node:http';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DatabaseUnavailable, oauthError, publicError } from '#errors';
import {
  createClientAddress,
  createHostTable,
  jsonAnswer,
  listen,
  newDoor,
  oauthAnswer,
  problemAnswer,
  readCookie,
  readForm,
  readJson,
  requireSameOrigin,
  type DirectRoute,
  type Listener,
  type ListenNeeds,
} from '#http';
import { createSilentLogger } from '#logger';
import { createCertificate } from '../../../../tests/harness/certificate.ts';

type Answered = { status: number; headers: Record<string, string | string[] | undefined>; body: string };

let listening: ListenNeeds;
let listener: Listener;

function send(
  path: string,
  options: { method?: string; host?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const message = sendRequest(
      {
        host: '127.0.0.1',
        port: listener.port,
        path,
        method: options.method ?? 'GET',
        headers: { host: options.host ?? 'id.example.com', ...options.headers },
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (body += chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      },
    );
    message.on('error', reject);
    message.end(options.body);
  });
}

/** Sends bytes as they are and answers the status line. */
async function sendRaw(bytes: string): Promise<string> {
  return (await sendWhole(bytes)).split('\r\n', 1)[0] ?? '';
}

function sendWhole(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(listener.port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}

beforeAll(async () => {
  const token = newDoor('oauth');
  token.post('/token', async (context) => context.json(Object.fromEntries(await readForm(context))));
  token.get('/denied', () => {
    throw oauthError('invalid_client', 'Client "x" authentication failed', {
      headers: { 'www-authenticate': 'Basic' },
    });
  });
  const rest = newDoor('problem');
  const schema = z.strictObject({ name: z.string(), deep: z.unknown().optional() });
  rest.post('/things', async (context) => context.json(await readJson(context, schema)));
  rest.get('/down', () => {
    throw new DatabaseUnavailable('down');
  });
  rest.get('/bug', () => {
    throw new Error('the secret inside');
  });
  rest.get('/things/:id', () => {
    throw publicError('not_found');
  });
  rest.get('/facts', (context) =>
    context.json({ reference: context.get('reference'), clientAddress: context.get('clientAddress') }),
  );
  const direct: DirectRoute[] = [
    {
      path: '/direct',
      forAnyOrigin: true,
      methods: {
        GET: async (call) => jsonAnswer({ target: call.target, authorization: call.header('authorization') }),
        POST: async (call) => {
          call.setHeader('dpop-nonce', 'the next one');
          const form = await readForm(call);
          if (form.has('fail')) throw new Error('the secret inside');
          return jsonAnswer(Object.fromEntries(form), 201, { pragma: 'no-cache' });
        },
      },
    },
    { path: '/closed', forAnyOrigin: false, methods: { POST: async () => ({ status: 200 }) } },
    {
      path: '/torn',
      forAnyOrigin: false,
      methods: { GET: async () => ({ status: 200, headers: { 'x-torn': 'a\nb' } }) },
    },
  ];
  const origin = newDoor('problem');
  origin.post('/form', (context) => {
    requireSameOrigin(context, 'https://id.example.com');
    return context.text('ok');
  });
  const hosts = createHostTable(
    [
      { base: 'https://id.example.com', doors: [origin], errors: problemAnswer },
      { base: 'https://id.example.com/api', doors: [rest, token], direct, errors: oauthAnswer },
    ],
    createSilentLogger(),
  );
  listening = {
    host: '127.0.0.1',
    port: 0,
    findApplication: hosts.find,
    gateway: {
      request: (_, response) => response.end('gateway'),
      upgrade: (_, socket) => socket.end('HTTP/1.1 404 Not Found\r\n\r\n'),
    },
    clientAddress: createClientAddress(['127.0.0.1']),
    requestIdHeader: 'x-vercel-id',
    logger: createSilentLogger(),
  };
  listener = await listen(listening);
});
afterAll(() => listener.close());

const form = { 'content-type': 'application/x-www-form-urlencoded' };
const json = { 'content-type': 'application/json' };

describe('what is not found', () => {
  it('is named by its address where nothing else names it', async () => {
    const answer = await send('/api/things/prj_1?token=secret');
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body)).toMatchObject({
      code: 'not_found',
      detail: 'There is nothing at /api/things/prj_1, or nothing that you may see.',
    });
  });
});

describe('a direct route', () => {
  it('answers with the headers of every answer, its own, and those for any origin', async () => {
    const answer = await send('/api/direct?a=1', { method: 'POST', headers: form, body: 'a=1&b=ü' });
    expect([answer.status, answer.body]).toEqual([201, '{"a":"1","b":"ü"}']);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': '18',
      'cache-control': 'no-store',
      pragma: 'no-cache',
      'x-content-type-options': 'nosniff',
      'access-control-allow-origin': '*',
      'dpop-nonce': 'the next one',
      'x-vercel-id': expect.stringMatching(/^req_/) as string,
    });
  });

  it('answers HEAD where it answers GET, and a preflight for any origin alone', async () => {
    expect(await send('/api/direct', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
    const preflight = await send('/api/direct', { method: 'OPTIONS' });
    expect([preflight.status, preflight.headers['allow']]).toEqual([204, 'GET, POST, OPTIONS']);
    const closed = await send('/api/closed', { method: 'OPTIONS' });
    expect([closed.status, closed.headers['allow']]).toEqual([405, 'POST']);
    expect(closed.headers['access-control-allow-origin']).toBeUndefined();
    const put = await send('/api/direct', { method: 'PUT' });
    expect([put.status, put.headers['allow']]).toEqual([405, 'HEAD, GET, POST, OPTIONS']);
    expect((await send('/direct')).status).toBe(404);
  });

  it('says nothing of an error that is not from the catalogue, and keeps the headers', async () => {
    const answer = await send('/api/direct', { method: 'POST', headers: form, body: 'fail=1' });
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain('secret');
    expect(JSON.parse(answer.body)).toMatchObject({ error: 'server_error' });
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'dpop-nonce': 'the next one',
      'x-content-type-options': 'nosniff',
    });
  });

  it('ends the connection when an answer cannot be sent, and goes on', async () => {
    await expect(send('/api/torn')).rejects.toThrow('socket hang up');
    expect((await send('/api/direct')).status).toBe(200);
  });

  it('is the same in HTTP/2', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tessera-http-'));
    const { certificate, key } = createCertificate(['id.example.com']);
    const files = { certificate: join(folder, 'id.pem'), key: join(folder, 'id.key') };
    writeFileSync(files.certificate, certificate);
    writeFileSync(files.key, key);
    const secure = await listen({ ...listening, certificates: [files] });
    const session = connectHttp2(`https://127.0.0.1:${secure.port}`, { rejectUnauthorized: false });
    try {
      const ask = async (method: string, type: string, body: string) => {
        const stream = session.request({
          ':authority': 'id.example.com',
          ':path': '/api/direct',
          ':method': method,
          'content-type': type,
        });
        stream.end(body);
        const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
        return { headers, body: await text(stream) };
      };
      const answer = await ask('POST', form['content-type'], 'a=1');
      expect(answer).toMatchObject({ body: '{"a":"1"}', headers: { ':status': 201, pragma: 'no-cache' } });
      // Its answer in HTTP/1 closes the connection.
      const large = await ask('POST', form['content-type'], 'x'.repeat(100_000));
      expect(large.headers).toMatchObject({ ':status': 413, 'x-content-type-options': 'nosniff' });
      expect(large.headers['connection']).toBeUndefined();
      expect((await ask('POST', form['content-type'], 'a=2')).body).toBe('{"a":"2"}');
    } finally {
      session.destroy();
      await secure.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('takes no credentials out of two headers', async () => {
    const answer = await sendWhole(
      'GET /api/direct HTTP/1.1\r\nHost: id.example.com\r\nAuthorization: Bearer one\r\nAuthorization: Bearer two\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toContain('"authorization":"Bearer one, Bearer two"');
  });

  it('answers before a body has come, and takes the next request on the connection', async () => {
    const body = 'x'.repeat(20_000);
    const answer = await sendWhole(
      `POST /api/direct HTTP/1.1\r\nHost: id.example.com\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}GET /api/direct HTTP/1.1\r\nHost: id.example.com\r\nConnection: close\r\n\r\n`,
    );
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 415', 'HTTP/1.1 200']);
  });
});

describe('hosts and paths', () => {
  it('finds the door by host and the deeper path first', async () => {
    expect((await send('/api/token', { method: 'POST', headers: form, body: 'a=1&b=' })).body).toBe(
      '{"a":"1"}',
    );
    expect((await send('/form', { method: 'POST' })).body).toBe('ok');
  });

  it('takes our host in any case and with its default port', async () => {
    expect((await send('/form', { method: 'POST', host: 'ID.Example.com:443' })).body).toBe('ok');
  });

  it('makes a socket in the file system for its owner and group alone, from its first moment', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tessera-socket-'));
    const before = process.umask(0);
    try {
      const socketPath = join(folder, 'socket');
      const pending = listen({ ...listening, socketPath });
      expect(statSync(socketPath).mode & 0o777).toBe(0o660);
      expect(process.umask()).toBe(0);
      await (await pending).close();
    } finally {
      process.umask(before);
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('gives every other host to the gateway', async () => {
    expect((await send('/form', { host: 'id.example.com.evil.test' })).body).toBe('gateway');
  });

  it('answers unknown paths and methods in the shape of the nearest base', async () => {
    const unknown = await send('/api/nothing');
    expect([unknown.status, JSON.parse(unknown.body).error]).toEqual([404, 'invalid_request']);
    const method = await send('/api/token');
    expect([method.status, method.headers['allow']]).toEqual([405, 'POST']);
    const page = await send('/nothing');
    expect([page.status, page.headers['content-type']]).toEqual([404, 'application/problem+json']);
  });
});

describe('what arrives', () => {
  it.each([
    ['a repeated parameter', 'a=1&a=2', form, 400],
    [
      'a hundred and one parameters',
      Array.from({ length: 101 }, (_, index) => `p${index}=1`).join('&'),
      form,
      400,
    ],
    ['another content type', '{}', json, 415],
    ['no content type', 'a=1', {}, 400],
    ['a body of 64 KiB', `a=${'x'.repeat(64 * 1024 - 2)}`, form, 200],
    ['one byte more', `a=${'x'.repeat(64 * 1024 - 1)}`, form, 413],
    ['bytes that are not UTF-8', Buffer.from([0x61, 0x3d, 0xff]), form, 400],
  ])('reads or refuses a form with %s', async (_, body, headers, status) => {
    expect((await send('/api/token', { method: 'POST', headers, body })).status).toBe(status);
  });

  it.each([
    ['broken JSON', '{', 'not JSON'],
    ['an unknown field', '{"name":"x","admin":true}', 'admin'],
    ['a field of another type', '{"name":1}', "'name'"],
    ['prototype pollution', '{"name":"x","__proto__":{"a":1}}', '__proto__'],
    ['twenty-two levels', `{"name":"x","deep":${'['.repeat(22)}${']'.repeat(22)}}`, 'deeper than 20'],
  ])('refuses %s and says why', async (_, body, words) => {
    const answer = await send('/api/things', { method: 'POST', headers: json, body });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body).detail).toContain(words);
  });

  it('refuses a form from another site, a sibling host included (security-74)', async () => {
    const post = (headers: Record<string, string>) => send('/form', { method: 'POST', headers });
    expect((await post({ origin: 'https://id.example.com', 'sec-fetch-site': 'same-origin' })).status).toBe(
      200,
    );
    expect((await post({ origin: 'https://evil.test' })).status).toBe(403);
    expect((await post({ origin: 'null' })).status).toBe(403);
    expect((await post({ 'sec-fetch-site': 'same-site' })).status).toBe(403);
  });

  it('holds its limits', async () => {
    expect((await send(`/api/${'x'.repeat(8 * 1024 - 5)}`)).status).toBe(404);
    expect((await send(`/api/${'x'.repeat(8 * 1024 - 4)}`)).status).toBe(414);
    expect((await send('/form', { headers: { cookie: 'x'.repeat(65 * 1024) } })).status).toBe(431);
  });

  it.each([
    [
      'both lengths',
      'POST /form HTTP/1.1\r\nHost: id.example.com\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'two lengths',
      'POST /form HTTP/1.1\r\nHost: id.example.com\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx',
    ],
    ['a folded header', 'GET /form HTTP/1.1\r\nHost: id.example.com\r\nX: a\r\n b\r\n\r\n'],
    ['no host', 'GET /form HTTP/1.1\r\n\r\n'],
    ['a space before the colon', 'GET /form HTTP/1.1\r\nHost : id.example.com\r\n\r\n'],
    [
      'an absolute target',
      'GET http://id.example.com/form HTTP/1.1\r\nHost: id.example.com\r\nConnection: close\r\n\r\n',
    ],
  ])('refuses a request with %s', async (_, bytes) => {
    expect(await sendRaw(bytes)).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('does not wait for ever for a body', async () => {
    const bytes =
      'POST /api/token HTTP/1.1\r\nHost: id.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\na=1';
    expect(await sendRaw(bytes)).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe('what goes out', () => {
  it('carries the reference in header and body', async () => {
    const answer = await send('/api/denied');
    const body = JSON.parse(answer.body);
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Basic');
    expect(body).toEqual({
      error: 'invalid_client',
      error_description: "Client 'x' authentication failed",
      reference: answer.headers['x-vercel-id'],
    });
  });

  it('answers 503 with Retry-After when the database is down', async () => {
    const answer = await send('/api/down');
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5']);
  });

  it('says nothing of a fault of ours', async () => {
    const answer = await send('/api/bug');
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain('secret');
  });

  it('has security headers and is not stored', async () => {
    const { headers } = await send('/api/facts');
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'strict-transport-security': 'max-age=31536000',
    });
  });
});

describe('the client’s address', () => {
  it('comes from the socket, and from a proxy only when it is ours', async () => {
    const forwarded = await send('/api/facts', {
      headers: { 'x-forwarded-for': '203.0.113.9, 198.51.100.7' },
    });
    expect(JSON.parse(forwarded.body).clientAddress).toBe('198.51.100.7');
    expect(createClientAddress([])('203.0.113.1', '198.51.100.7')).toBe('203.0.113.1');
    expect(createClientAddress(['10.0.0.0/8'])('::ffff:10.0.0.1', 'evil, 198.51.100.7, 10.0.0.2')).toBe(
      '198.51.100.7',
    );
    expect(createClientAddress(['10.0.0.0/8'])('10.0.0.1', 'not an address')).toBe('');
  });
});

describe('cookies', () => {
  it.each([
    ['a=1; b=2', 'b', '2'],
    ['a=1; a=2', 'a', undefined],
    ['a=1;b=2', 'b', '2'],
    ['a=1; \u2000b=2', 'b', undefined],
    ['a=1;  b=2', 'b', undefined],
    ['$Version=1; a="1"', 'a', undefined],
    ['xa=1', 'a', undefined],
    [undefined, 'a', undefined],
  ])('reads from %s the cookie %s as %s (security-71)', (header, name, value) => {
    expect(readCookie(header, name)).toBe(value);
  });
});

it('lets go of an upgrade at our own host, whatever follows it', async () => {
  const other = await listen({ ...listening, port: 0, drainMilliseconds: 200 });
  const answered = await new Promise<string>((resolve) => {
    let received = '';
    const socket = connect({ port: other.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    socket.on('data', (chunk) => (received += chunk.toString()));
    socket.once('close', () => resolve(received));
    socket.write(
      'GET / HTTP/1.1\r\nHost: id.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    setTimeout(() => socket.write('x'), 50);
    setTimeout(() => socket.end(), 100);
  });
  expect(answered).toMatch(/^HTTP\/1\.1 400 /);
  const started = performance.now();
  await other.close();
  expect(performance.now() - started).toBeLessThan(2_000);
});
