import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sendRaw } from './echo-upstream.ts';
import { startGatewayWorld, type GatewayWorld } from './gateway-world.ts';

const host = 'odd.app.localhost';

let world: GatewayWorld;
/** What the upstream says to whatever it is asked, byte for byte; undefined: nothing at all. */
let says: string | undefined;
let sockets: Socket[] = [];
const server = createServer((socket) => {
  sockets.push(socket);
  socket.on('error', () => socket.destroy());
  socket.on('data', () => {
    if (says !== undefined) socket.write(says);
  });
});

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  world = await startGatewayWorld({
    upstreams: { connections: 1, queue: 0, answerSeconds: 1 },
    visitorIdleMilliseconds: 500,
  });
  const { port } = server.address() as AddressInfo;
  world.site(host, { passport: null, upstream: `http://127.0.0.1:${port}` });
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  server.close();
  await world.close();
});

const handshake = () =>
  `GET / HTTP/1.1\r\nHost: ${world.hostHeader(host)}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

async function answerTo(bytes: string, upstreamSays: string | undefined) {
  says = upstreamSays;
  sockets = [];
  const answer = await sendRaw(world.port, bytes);
  for (const socket of sockets) socket.destroy();
  return answer;
}

// What Node refuses to pass on throws where only the process itself would catch it.
test.each([
  ['304 with a trailer', 'HTTP/1.1 304 Not Modified\r\nTrailer: x\r\n\r\n', 304],
  ['204 with a trailer', 'HTTP/1.1 204 No Content\r\nTrailer: x\r\n\r\n', 204],
  ['a status that is none', 'HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n', 502],
  ['no status', 'HTTP/1.1 000 Odd\r\nContent-Length: 0\r\n\r\n', 502],
  ['no HTTP', 'SSH-2.0-OpenSSH_9.2p1\r\n', 502],
])('an upstream that answers a WebSocket with %s ends nothing but that', async (_, answer, expected) => {
  expect((await answerTo(handshake(), answer)).status).toBe(expected);
  const next = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';
  const plain = `GET / HTTP/1.1\r\nHost: ${world.hostHeader(host)}\r\nConnection: close\r\n\r\n`;
  expect((await answerTo(plain, next)).status).toBe(200);
});

test.each([
  ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n', 200],
  ['GET', 'HTTP/1.1 304 Not Modified\r\nTrailer: x\r\n\r\n', 304],
  ['GET', 'HTTP/1.1 204 No Content\r\nTrailer: x\r\n\r\n', 204],
])('a %s that has no body may be announced with trailers', async (method, answer, expected) => {
  const request = `${method} / HTTP/1.1\r\nHost: ${world.hostHeader(host)}\r\nConnection: close\r\n\r\n`;
  expect((await answerTo(request, answer)).status).toBe(expected);
});

test('an upstream that never answers a WebSocket holds neither the visitor nor the place', async () => {
  const started = performance.now();
  const { status, text } = await answerTo(handshake(), undefined);
  expect(status).toBe(504);
  expect(text).toContain('UPSTREAM_TIMEOUT');
  expect(performance.now() - started).toBeLessThan(5_000);
  expect((await answerTo(handshake(), 'HTTP/1.1 204 No Content\r\n\r\n')).status).toBe(204);
});

test('whoever does not take the answer to a WebSocket is cut', { timeout: 20_000 }, async () => {
  says = `HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n${'x'.repeat(20_000_000)}`;
  const visitor = connect(world.port, '127.0.0.1').pause();
  visitor.on('error', () => undefined);
  visitor.write(handshake());
  const [upstream] = (await once(server, 'connection')) as [Socket];
  await new Promise((resolve) => upstream.once('close', resolve));
  visitor.destroy();
});

test(
  'visitors of an upstream that is busy are forgotten when they are answered',
  { timeout: 20_000 },
  async () => {
    says = undefined;
    const waiting = sendRaw(world.port, `GET / HTTP/1.1\r\nHost: ${world.hostHeader(host)}\r\n\r\n`);
    await once(server, 'connection');
    const busy = await sendRaw(
      world.port,
      `GET / HTTP/1.1\r\nHost: ${world.hostHeader(host)}\r\nConnection: close\r\n\r\n`,
    );
    expect(busy.text).toContain('UPSTREAM_BUSY');
    expect((await waiting).status).toBe(504);
    let looks = 0;
    const find = world.sites.get.bind(world.sites);
    world.sites.get = (name) => {
      looks++;
      return find(name);
    };
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect(looks).toBe(0);
  },
);
