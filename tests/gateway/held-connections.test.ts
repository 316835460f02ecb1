import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeCertificate } from '../harness/certificate.ts';
import { startGatewayWorld, type GatewayWorld } from './gateway-world.ts';
import {
  encodeHeaders,
  flags,
  frame,
  frameTypes,
  plainSettings,
  preface,
  readFrames,
} from './http2-frames.ts';

const host = 'open.app.localhost';
const idleMilliseconds = 1_000;
/** What the types of `tls.connect` leave out. */
const halfOpen = { allowHalfOpen: true };
const soon = { timeout: 5_000 };

const certificate = writeCertificate(['*.app.localhost']);
let world: GatewayWorld;
let plain: GatewayWorld;
/** Answers that an upstream is still writing, of which it ends none. */
let writing = 0;
const upstream = createServer((request, response) => {
  writing++;
  response.once('close', () => writing--);
  request.resume();
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const isLarge = request.url === '/large';
  const write = () => {
    while (response.write(isLarge ? Buffer.alloc(64 * 1024) : 'data: on and on\n\n')) if (!isLarge) return;
  };
  const timer = isLarge ? undefined : setInterval(write, 50);
  response.on('drain', write).once('close', () => clearInterval(timer));
  write();
});

beforeAll(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const times = { patience: { idleSession: idleMilliseconds }, visitorIdleMilliseconds: idleMilliseconds };
  world = await startGatewayWorld({ ...times, https: true, certificates: [certificate.files] });
  plain = await startGatewayWorld(times);
  const { port } = upstream.address() as AddressInfo;
  for (const each of [world, plain])
    each.site(host, { passport: null, upstream: `http://127.0.0.1:${port}` });
});
afterAll(async () => {
  await world?.close();
  await plain?.close();
  upstream.closeAllConnections();
  upstream.close();
  certificate.remove();
});

const ping = frame(frameTypes.ping, 0, 0, Buffer.alloc(8));
const goodbye = frame(frameTypes.goAway, 0, 0, Buffer.alloc(8));
/** A header block that is to go on, and a frame that does not go on with it. */
const brokenFrames = [1, 4].map((flag) =>
  frame(frameTypes.headers, flag, 5, encodeHeaders([[':method', 'GET']])),
);

function head(stream: number, flag: number, path = '/', authority = host): Buffer {
  const fields = encodeHeaders([
    [':method', flag & flags.endStream ? 'GET' : 'POST'],
    [':scheme', 'https'],
    [':authority', authority],
    [':path', path],
  ]);
  return frame(frameTypes.headers, flag | flags.endHeaders, stream, fields);
}

type Peer = { end(): void; isLetGo: () => boolean; close(): void };

/** A connection of HTTP/2 of which the test sees every end, and which it ends or keeps as it likes. */
async function openPeer(
  frames: readonly Buffer[],
  reads = true,
  onFrame: (type: number) => void = () => {},
): Promise<Peer> {
  const socket = connectTls({
    port: world.port,
    host: '127.0.0.1',
    servername: host,
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
    ...halfOpen,
  });
  let isLetGo = false;
  socket.on('error', () => (isLetGo = true)).once('close', () => (isLetGo = true));
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  let rest: Buffer = Buffer.alloc(0);
  if (reads) {
    socket.on('data', (chunk: Buffer) => {
      const read = readFrames(Buffer.concat([rest, chunk]));
      rest = read.rest;
      for (const { type } of read.frames) onFrame(type);
    });
  } else {
    socket.pause();
  }
  socket.write(Buffer.concat([preface, plainSettings, ...frames]));
  return {
    end: () => socket.end(),
    // Whoever writes to a socket that is gone on its other side is told so, and not to one that is only ended there.
    isLetGo: () => {
      if (socket.writable) socket.write(ping);
      return isLetGo;
    },
    close: () => socket.destroy(),
  };
}

describe('a connection of HTTP/2 (security-92)', () => {
  test.each([
    ['in the middle of a frame', [head(1, 1), head(3, 0), frame(0, 0, 3, Buffer.alloc(9)).subarray(0, 12)]],
    ['after a goodbye', [head(1, 1), goodbye]],
    ['after a goodbye and a broken frame', [head(1, 1), goodbye, ...brokenFrames]],
  ])('that ends %s is ended, with its upstreams', async (_when, frames) => {
    const peer = await openPeer(frames);
    await pause(300);
    peer.end();
    await expect.poll(() => writing, soon).toBe(0);
    await expect.poll(peer.isLetGo, soon).toBe(true);
    peer.close();
  });

  test('that broke is ended also when it had said goodbye, and does not end itself', async () => {
    const peer = await openPeer([head(1, 1), goodbye, ...brokenFrames]);
    await expect.poll(() => writing, soon).toBe(0);
    await expect.poll(peer.isLetGo, soon).toBe(true);
    peer.close();
  });

  test('goes on after a goodbye for as long as its streams do', async () => {
    const peer = await openPeer([head(1, 1), goodbye]);
    await pause(idleMilliseconds * 2);
    expect(writing).toBe(1);
    peer.close();
    await expect.poll(() => writing, soon).toBe(0);
  });

  test.each([
    ['nothing at all', []],
    ['a goodbye', [goodbye]],
    ['a header that does not end', [frame(frameTypes.headers, 0, 1, Buffer.from([0]))]],
  ])(
    'on which %s was sent is ended after a while, whether its other side ends it or not',
    async (_what, frames) => {
      const peer = await openPeer(frames);
      await pause(idleMilliseconds + 200);
      await expect.poll(peer.isLetGo, soon).toBe(true);
      peer.close();
    },
  );

  test('whose other side does not read is ended, with what was to be sent', async () => {
    const windows = [
      frame(frameTypes.settings, 0, 0, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff])),
      frame(frameTypes.windowUpdate, 0, 0, Buffer.from([0x7f, 0, 0, 0])),
    ];
    const peer = await openPeer([...windows, head(1, 1, '/large')], false);
    await expect.poll(() => writing, soon).toBe(1);
    await expect.poll(() => writing, soon).toBe(0);
    await pause(idleMilliseconds);
    await expect.poll(peer.isLetGo, { timeout: 8_000 }).toBe(true);
    peer.close();
  });
});

test('a refusal of ours that nobody takes is not kept (security-92)', async () => {
  const noWindow = frame(frameTypes.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));
  const frames: number[] = [];
  const peer = await openPeer([noWindow, head(1, 1, '/', 'a.app.localhost')], true, (type) =>
    frames.push(type),
  );
  await expect.poll(() => frames, soon).toContain(frameTypes.rstStream);
  peer.close();
});

describe('a connection of HTTP/1.1 (security-92)', () => {
  const name = () => plain.hostHeader(host);
  test.each([
    ['during its answer', () => `GET / HTTP/1.1\r\nHost: ${name()}\r\n\r\n`],
    ['within its body', () => `POST / HTTP/1.1\r\nHost: ${name()}\r\nContent-Length: 9\r\n\r\nhalf`],
    [
      'within a chunk',
      () => `POST / HTTP/1.1\r\nHost: ${name()}\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhal`,
    ],
    ['within the next head', () => `GET / HTTP/1.1\r\nHost: ${name()}\r\n\r\nGET / HT`],
  ])('that ends %s is ended, with its upstream', async (_when, bytes) => {
    const socket = connect({ port: plain.port, host: '127.0.0.1', ...halfOpen });
    let isEnded = false;
    socket
      .on('error', () => (isEnded = true))
      .on('end', () => (isEnded = true))
      .resume();
    socket.write(bytes());
    await expect.poll(() => writing, soon).toBe(1);
    socket.end();
    await expect.poll(() => writing, soon).toBe(0);
    await expect.poll(() => isEnded, soon).toBe(true);
    socket.destroy();
  });
});
