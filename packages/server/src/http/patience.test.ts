import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createClientAddress,
  createHostTable,
  listen,
  newDoor,
  oauthAnswer,
  problemAnswer,
  readForm,
  type DirectRoute,
  type Listener,
} from '#http';
import { createSilentLogger } from '#logger';
import { createCertificate } from '../../../../tests/harness/certificate.ts';

const patience = { head: 600, unreadBody: 1_000, untakenAnswer: 600, idleSession: 2_000 };
const host = 'id.example.com';
const formHead = 'Content-Type: application/x-www-form-urlencoded\r\n';
/** More than what kernels hold between two sockets. */
const large = 'x'.repeat(20 * 1024 * 1024);

let folder: string;
let counted = 0;
let plain: Listener;
let secure: Listener;
/** The same, with time for an upload. */
let patient: { plain: Listener; secure: Listener };

beforeAll(async () => {
  const door = newDoor('problem');
  door.post('/form', async (context) => context.json(Object.fromEntries(await readForm(context))));
  door.post('/unread', (context) => context.text('read nothing'));
  door.post('/counted', (context) => context.text(`${++counted}`));
  door.get('/large', (context) => context.text(large));
  const direct: DirectRoute[] = [
    {
      path: '/direct',
      forAnyOrigin: false,
      methods: {
        GET: async (call) => ({ status: 200, body: call.target.endsWith('?large') ? large : 'read nothing' }),
        POST: async (call) => ({ status: 200, body: [...(await readForm(call))].join() }),
      },
    },
  ];
  const hosts = createHostTable(
    [
      { base: `https://${host}`, doors: [door], errors: problemAnswer },
      { base: `https://${host}/api`, doors: [], direct, errors: oauthAnswer },
    ],
    createSilentLogger(),
  );
  const listening = {
    host: '127.0.0.1',
    port: 0,
    findApplication: hosts.find,
    gateway: { request: () => undefined, upgrade: () => undefined },
    clientAddress: createClientAddress([]),
    requestIdHeader: 'x-vercel-id',
    logger: createSilentLogger(),
    patience,
  };
  plain = await listen(listening);
  folder = mkdtempSync(join(tmpdir(), 'tessera-patience-'));
  const { certificate, key } = createCertificate([host]);
  const files = { certificate: join(folder, 'a.pem'), key: join(folder, 'a.key') };
  writeFileSync(files.certificate, certificate);
  writeFileSync(files.key, key);
  secure = await listen({ ...listening, certificates: [files] });
  const withTime = { ...listening, patience: { ...patience, unreadBody: 20_000 } };
  patient = { plain: await listen(withTime), secure: await listen({ ...withTime, certificates: [files] }) };
});
afterAll(async () => {
  await Promise.all([plain, secure, patient.plain, patient.secure].map((listener) => listener.close()));
  rmSync(folder, { recursive: true, force: true });
});

type Held = { socket: Socket; text: () => string; endedAfter: () => Promise<number> };

function open(bytes: string, socket: Socket = connect(plain.port, '127.0.0.1')): Held {
  const began = performance.now();
  socket.write(bytes);
  let text = '';
  socket.on('error', () => undefined).on('data', (chunk: Buffer) => (text += chunk.toString()));
  // Whoever still sends when the time is over is reset: that is an end too.
  const ended = new Promise<number>((resolve) => {
    socket.once('close', () => resolve(performance.now() - began));
  });
  return { socket, text: () => text, endedAfter: () => ended };
}

/** A byte now and then, for as long as the connection is there. */
function trickle({ socket }: Held): void {
  const timer = setInterval(() => socket.write('x'), 100);
  socket.once('close', () => clearInterval(timer));
}

const withBody = (method: string, path: string, length: number) =>
  `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${formHead}Content-Length: ${length}\r\n\r\n`;

describe('a connection of HTTP/1.1 is let go of', () => {
  it.each([
    ['nothing', ''],
    ['half of a head', `GET / HTTP/1.1\r\nHost: ${host}\r\nX: `],
  ])('that sends %s, slowly or not at all (security-92)', async (_what, bytes) => {
    const silent = open(bytes);
    const slow = open(bytes);
    if (bytes !== '') trickle(slow);
    // Node looks for them once in that time.
    for (const each of [silent, slow]) expect(await each.endedAfter()).toBeLessThan(3 * patience.head);
  });

  it.each([
    ['POST', '/unread'],
    ['POST', '/nowhere'],
    ['POST', '/api/direct'],
    ['GET', '/api/direct'],
  ])('whose body for %s %s trickles in', async (method, path) => {
    // What would be read is refused for its length.
    const held = open(withBody(method, path, 1_000_000));
    trickle(held);
    expect(await held.endedAfter()).toBeLessThan(patience.unreadBody + 1_000);
    expect(held.text()).toMatch(/^HTTP\/1\.1 (?:200|404|413) /);
  });

  it.each(['/large', '/api/direct?large'])('that takes nothing of %s', async (path) => {
    const held = open(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await once(held.socket, 'connect');
    held.socket.pause();
    await pause(3 * patience.untakenAnswer);
    held.socket.resume();
    await held.endedAfter();
    expect(held.text().length).toBeLessThan(large.length);
  });
});

describe.each(['plain', 'secure'] as const)('an answer before the end of its body (%s)', (listener) => {
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;

  it.each([
    ['POST', '/unread', 200],
    ['POST', '/nowhere', 404],
    ['POST', '/form', 413],
    ['POST', '/api/direct', 413],
    ['GET', '/api/direct', 200],
  ])('reaches who reads nothing before all of it is sent: %s %s', async (method, path, status) => {
    const { port } = patient[listener];
    const at = { port, host: '127.0.0.1', servername: host, rejectUnauthorized: false };
    const socket = listener === 'plain' ? connect(at) : connectTls(at);
    const failures: Error[] = [];
    socket.on('error', (error) => failures.push(error));
    const head = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${formHead}Transfer-Encoding: chunked\r\n\r\n`;
    const held = open(head, socket);
    socket.pause();
    // For longer than any of those that read on our side would wait by themselves.
    for (let sent = 0; sent < 40; sent++) {
      await new Promise((resolve) => {
        socket.write(chunk, resolve);
      });
      await pause(25);
    }
    socket.write('0\r\n\r\n');
    socket.resume();
    await expect.poll(held.text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(failures).toEqual([]);
    socket.destroy();
  });
});

it('what stands behind the last answer of a connection is not done', async () => {
  const length = 100_000;
  const next = `POST /counted HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\n\r\n`;
  const socket = connect({ port: plain.port, host: '127.0.0.1', allowHalfOpen: true });
  const held = open(withBody('POST', '/form', length), socket);
  await expect.poll(held.text).toMatch(/ 413 .*connection: close/is);
  socket.write('x'.repeat(length) + next);
  await pause(300);
  socket.destroy();
  expect(counted).toBe(0);
  const other = open(next);
  await expect.poll(other.text).toMatch(/\r\n1$/);
  other.socket.destroy();
});

describe('a connection of HTTP/1.1 is kept', () => {
  it('when what is left of a body comes in time, and the next request after it', async () => {
    const held = open(withBody('GET', '/api/direct', 6));
    await pause(patience.unreadBody / 2);
    held.socket.write('a=abcd');
    await pause(patience.unreadBody);
    held.socket.write(`${withBody('POST', '/form', 3)}a=1`);
    await expect.poll(held.text).toContain('{"a":"1"}');
    held.socket.destroy();
  });

  it('while an answer is taken slowly', { timeout: 60_000 }, async () => {
    const held = open(`GET /large HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    held.socket.on('data', () => {
      held.socket.pause();
      setTimeout(() => held.socket.resume(), 10);
    });
    expect(await held.endedAfter()).toBeGreaterThan(2 * patience.untakenAnswer);
    expect(held.text()).toMatch(/x{1000}$/);
    expect(held.text().length).toBeGreaterThan(large.length);
  });
});

describe('a stream of HTTP/2 is let go of', () => {
  let session: ClientHttp2Session;
  const connectSession = (settings = {}) => {
    session = connectHttp2(`https://127.0.0.1:${secure.port}`, {
      rejectUnauthorized: false,
      servername: host,
      settings,
    });
    session.on('error', () => undefined);
  };

  it.each(['/unread', '/nowhere'])('whose body for %s never comes', async (path) => {
    connectSession();
    const stream = session.request({ ':method': 'POST', ':path': path, ':authority': host });
    stream.resume();
    await once(stream, 'close');
    session.destroy();
  });

  it.each(['/form', '/api/direct'])(
    'whose body for %s is not whole after fifteen seconds',
    { timeout: 20_000 },
    async (path) => {
      connectSession();
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
        ':authority': host,
        'content-type': 'application/x-www-form-urlencoded',
      });
      stream.resume().on('error', () => undefined);
      stream.write('a=');
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
      expect(headers[':status']).toBe(408);
      if (!stream.closed) await once(stream, 'close');
      session.destroy();
    },
  );

  it.each(['/large', '/api/direct?large'])('of whose answer to %s nothing is taken', async (path) => {
    // No window: not a byte of a body may be sent.
    connectSession({ initialWindowSize: 0 });
    const stream = session.request({ ':path': path, ':authority': host });
    let text = '';
    stream.on('error', () => undefined).on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(stream, 'close');
    expect(text).toBe('');
    session.destroy();
  });
});
