import { createServer } from 'node:http';
import { connect, type ClientHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeCertificate } from '../harness/certificate.ts';
import { startGatewayWorld, type GatewayWorld } from './gateway-world.ts';

const host = 'open.app.localhost';
const atOnce = 4;

const certificate = writeCertificate(['*.app.localhost']);
let world: GatewayWorld;
let session: ClientHttp2Session;
/** Answers that an upstream is still writing: it never ends one by itself. */
let writing = 0;
let received = 0;
const upstream = createServer((_request, response) => {
  received++;
  writing++;
  response.once('close', () => writing--);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const timer = setInterval(() => response.write('data: on and on\n\n'), 20);
  response.once('close', () => clearInterval(timer));
});

beforeAll(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  world = await startGatewayWorld({
    https: true,
    certificates: [certificate.files],
    upstreams: { connections: atOnce, queue: 8 },
  });
  const { port } = upstream.address() as AddressInfo;
  world.site(host, { passport: null, upstream: `http://127.0.0.1:${port}` });
  session = connect(`https://${host}`, {
    createConnection: () =>
      connectTls({
        port: world.port,
        host: '127.0.0.1',
        servername: host,
        ALPNProtocols: ['h2'],
        rejectUnauthorized: false,
      }),
  });
  session.on('error', () => undefined);
});
afterAll(async () => {
  session?.destroy();
  await world?.close();
  upstream.closeAllConnections();
  upstream.close();
  certificate.remove();
});

/** Opens a stream and takes it back, in the same packet or a moment later. */
function openAndReset(afterMilliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const stream = session.request({ ':authority': host, ':path': '/' });
    stream.on('error', () => undefined);
    stream.once('close', resolve);
    // One that finds no place is told so, while those before it still wait for their connection.
    stream.resume();
    if (afterMilliseconds === 0) stream.close(8);
    else setTimeout(() => stream.close(8), afterMilliseconds);
  });
}

test('streams that are taken back hold nothing at the upstream, whenever that happens (advisory-24, security-92)', async () => {
  for (const after of [0, 0, 1, 2, 3, 5, 8, 13, 30, 100, 300, 1_000]) {
    await Promise.all(Array.from({ length: atOnce }, () => openAndReset(after)));
  }
  await expect.poll(() => writing, { timeout: 5_000 }).toBe(0);
  expect(received, 'some of them had come that far').toBeGreaterThan(0);
  // There is room again for whoever waits for an answer.
  const status = await new Promise<number>((resolve, reject) => {
    const stream = session.request({ ':authority': host, ':path': '/' });
    stream.once('response', (headers) => {
      resolve(Number(headers[':status']));
      stream.close();
    });
    stream.once('error', reject);
  });
  expect(status).toBe(200);
});
