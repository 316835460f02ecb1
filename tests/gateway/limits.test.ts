import { createHash, randomBytes } from 'node:crypto';
import { createServer, request as requestHttp, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startGatewayWorld, type GatewayWorld } from './gateway-world.ts';

/** An upstream that answers when it is told to. */
async function startSlowUpstream() {
  const waiting: ServerResponse[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    if (request.url === '/pauses') {
      response.writeHead(200);
      response.write('first');
    } else {
      waiting.push(response);
    }
  });
  server.on('upgrade', (request, socket: Socket) => {
    sockets.add(socket);
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    // Half of a frame says that its end is still to come.
    if (request.url === '/half') socket.write(Buffer.from([0x82, 0x05, 1, 2]));
    else socket.write(Buffer.from([0x82, 0x01, 7]));
    socket.on('end', () => socket.end());
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    waiting,
    answerAll: () => {
      for (const response of waiting.splice(0)) response.end('at last');
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An upstream that knows no upgrades, and answers events. */
async function startHttpUpstream() {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: 1\n\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count))),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const host = 'open.app.localhost';

function get(world: GatewayWorld, path: string, accept = 'application/json') {
  return new Promise<{ status: number; headers: Record<string, unknown>; text: string; cut: boolean }>(
    (resolve, reject) => {
      const asked = requestHttp(
        {
          port: world.port,
          host: '127.0.0.1',
          path,
          headers: { host: world.hostHeader(host), accept },
          agent: false,
        },
        (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => {
            text += chunk.toString();
          });
          const done = (cut: boolean) =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text, cut });
          response.once('end', () => done(false));
          response.once('error', () => done(true));
        },
      );
      asked.once('error', reject);
      asked.end();
    },
  );
}

async function openSocket(world: GatewayWorld, path: string, at = host, headers = '') {
  const socket = connect(world.port, '127.0.0.1');
  let received = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
  });
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${world.hostHeader(at)}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n${headers}\r\n`,
  );
  await until(() => received.includes('\r\n\r\n'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  return {
    socket,
    closed,
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(received.toString('latin1'))?.[1] ?? 0),
    frames: () => received.subarray(received.indexOf('\r\n\r\n') + 4),
  };
}

async function until(isTrue: () => boolean): Promise<void> {
  const limit = Date.now() + 5_000;
  while (!isTrue()) {
    if (Date.now() > limit) throw new Error('it did not come to that');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('what one upstream may take', () => {
  let world: GatewayWorld;
  let upstream: Awaited<ReturnType<typeof startSlowUpstream>>;
  beforeAll(async () => {
    upstream = await startSlowUpstream();
    world = await startGatewayWorld({
      upstreams: { connections: 2, queue: 1, answerSeconds: 1, idleSeconds: 1 },
    });
    world.site(host, { passport: null, upstream: upstream.origin });
  });
  afterAll(async () => {
    await upstream.close();
    await world.close();
  });

  test('is so many requests at a time; more are told to come again', async () => {
    const running = [1, 2, 3].map(() => get(world, '/slow'));
    await until(() => upstream.waiting.length === 2);
    const busy = await get(world, '/slow');
    expect(busy.status).toBe(503);
    expect(busy.headers['retry-after']).toBe('1');
    expect(busy.headers['x-vercel-error']).toBe('UPSTREAM_BUSY');
    upstream.answerAll();
    await until(() => upstream.waiting.length === 1);
    upstream.answerAll();
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual([200, 200, 200]);
    // The places were given back.
    const again = get(world, '/slow');
    await until(() => upstream.waiting.length === 1);
    upstream.answerAll();
    expect((await again).status).toBe(200);
  });

  test('is given back by visitors who leave', async () => {
    for (let round = 0; round < 4; round++) {
      const leaving = [1, 2, 3].map(() => {
        const socket = connect(world.port, '127.0.0.1');
        socket.write(`GET /slow HTTP/1.1\r\nHost: ${world.hostHeader(host)}\r\n\r\n`);
        return socket;
      });
      await until(() => upstream.waiting.length >= 2);
      for (const socket of leaving) socket.destroy();
      upstream.waiting.length = 0;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const asked = get(world, '/slow');
    await until(() => upstream.waiting.length === 1);
    upstream.answerAll();
    expect((await asked).status).toBe(200);
  });

  test('is so much time for an answer, which ends with a page and its reference', async () => {
    const late = await get(world, '/never', 'text/html');
    expect(late.status).toBe(504);
    expect(late.headers['x-vercel-error']).toBe('UPSTREAM_TIMEOUT');
    expect(late.text).toContain(String(late.headers['x-vercel-id']));
    upstream.waiting.length = 0;
  });

  test('is so much silence within an answer, which is cut then', async () => {
    const paused = await get(world, '/pauses');
    expect(paused).toMatchObject({ status: 200, text: 'first', cut: true });
  });

  test('is as many WebSockets as connections', async () => {
    const open = [await openSocket(world, '/socket'), await openSocket(world, '/socket')];
    expect(open.map(({ status }) => status)).toEqual([101, 101]);
    expect((await openSocket(world, '/socket')).status).toBe(503);
    open[0]?.socket.destroy();
    await open[0]?.closed;
    await new Promise((resolve) => setTimeout(resolve, 50));
    const next = await openSocket(world, '/socket');
    expect(next.status).toBe(101);
    for (const { socket } of [...open, next]) socket.destroy();
  });
});

describe('when the process is to end', () => {
  test('running requests end, WebSockets are told to go, and nothing new begins', async () => {
    const upstream = await startSlowUpstream();
    const world = await startGatewayWorld({ drainMilliseconds: 5_000 });
    world.site(host, { passport: null, upstream: upstream.origin });
    const running = get(world, '/slow');
    await until(() => upstream.waiting.length === 1);
    const whole = await openSocket(world, '/socket');
    const half = await openSocket(world, '/half');
    const resting = connect(world.port, '127.0.0.1');
    const restingClosed = new Promise((resolve) => resting.once('close', resolve));
    resting.on('error', () => {});

    const drained = world.drain();
    await Promise.all([whole.closed, half.closed]);
    // A frame of our own only between two of theirs.
    expect([...whole.frames()]).toEqual([0x82, 0x01, 7, 0x88, 0x02, 0x03, 0xe9]);
    expect([...half.frames()]).toEqual([0x82, 0x05, 1, 2]);
    await expect(get(world, '/slow')).rejects.toThrow('ECONNREFUSED');
    upstream.answerAll();
    expect(await running).toMatchObject({ status: 200, text: 'at last' });
    await drained;
    await restingClosed;
    await upstream.close();
    await world.upstream.close();
  });

  test('refused upgrades hold nobody up, whatever follows them', async () => {
    const world = await startGatewayWorld();
    const decisions = await world.listenForDecisions([
      { name: 'edge', credential: 'c'.repeat(32), hosts: [host] },
    ]);
    const upgrade = (of: string) =>
      `GET /decide/haproxy HTTP/1.1\r\nHost: ${of}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
    const ended = [world.port, decisions].map(
      (port) =>
        new Promise<string>((resolve) => {
          let text = '';
          const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
          socket.on('error', () => {});
          socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
          socket.once('close', () => resolve(text));
          socket.write(upgrade(world.hostHeader('a.app.localhost')));
          setTimeout(() => socket.write('x'), 100);
          setTimeout(() => socket.end(), 150);
        }),
    );
    for (const text of await Promise.all(ended)) expect(text).toMatch(/^HTTP\/1\.1 40[13] /);
    const started = performance.now();
    await world.drain();
    expect(performance.now() - started).toBeLessThan(900);
    await world.upstream.close();
  });

  test('an upgrade that is answered with something else ends with the rest', async () => {
    const upstream = await startHttpUpstream();
    const world = await startGatewayWorld({ drainMilliseconds: 300 });
    world.site(host, { passport: null, upstream: upstream.origin });
    const asked = await openSocket(world, '/events');
    expect(asked.status).toBe(200);
    const started = performance.now();
    await world.drain();
    await asked.closed;
    expect(performance.now() - started).toBeLessThan(3_000);
    await upstream.close();
    await world.upstream.close();
  });

  test('what does not end in time is cut', async () => {
    const upstream = await startSlowUpstream();
    const world = await startGatewayWorld({ drainMilliseconds: 300 });
    world.site(host, { passport: null, upstream: upstream.origin });
    const running = get(world, '/slow').catch((error: Error) => error.message);
    await until(() => upstream.waiting.length === 1);
    const started = performance.now();
    await world.drain();
    expect(performance.now() - started).toBeLessThan(3_000);
    // Cut at either end: with an answer of ours where there was still time for one.
    expect(await running).not.toMatchObject({ status: 200 });
    await upstream.close();
    await world.upstream.close();
  });
});

describe('an upgrade', () => {
  test('that is answered with something else is cut when the session ends, and when its answer breaks off', async () => {
    const upstream = await startHttpUpstream();
    const world = await startGatewayWorld();
    const protectedHost = 'a.app.localhost';
    world.site(protectedHost, { upstream: upstream.origin });
    const jar = await world.signIn(protectedHost);
    const cookie = jar.header(new URL(world.originOf(protectedHost))) ?? '';
    const ended = await openSocket(world, '/events', protectedHost, `Cookie: ${cookie}\r\n`);
    expect(ended.status).toBe(200);
    world.sites.delete(protectedHost);
    const started = performance.now();
    await ended.closed;
    expect(performance.now() - started).toBeLessThan(5_500);

    world.site(host, { passport: null, upstream: upstream.origin });
    const broken = await openSocket(world, '/events');
    expect(broken.status).toBe(200);
    const left = await openSocket(world, '/events');
    left.socket.end();
    await left.closed;
    await upstream.close();
    await broken.closed;
    await world.close();
  }, 20_000);

  test('does not open by a session that ended during a slow handshake', async () => {
    let agree = () => {};
    const server = createServer();
    server.on('upgrade', (_request, socket: Socket) => {
      socket.on('error', () => {});
      agree = () =>
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const world = await startGatewayWorld();
    world.site(host, {
      passport: null,
      upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    });
    const handshake = async () => {
      const opening = openSocket(world, '/socket');
      await new Promise((resolve) => setTimeout(resolve, 2_100));
      return opening;
    };
    const kept = handshake();
    await new Promise((resolve) => setTimeout(resolve, 2_050));
    agree();
    const { status, socket } = await kept;
    expect(status).toBe(101);
    socket.destroy();
    const refused = handshake();
    await new Promise((resolve) => setTimeout(resolve, 300));
    world.site(host, { upstream: 'http://127.0.0.1:1' });
    await new Promise((resolve) => setTimeout(resolve, 2_050));
    agree();
    expect((await refused).status).toBe(403);
    await world.close();
    server.closeAllConnections();
    server.close();
  }, 20_000);
});

describe('visitors who hold places', () => {
  test('wait in the queue also when they have left', async () => {
    const upstream = await startSlowUpstream();
    const world = await startGatewayWorld({ upstreams: { connections: 1, queue: 2 } });
    world.site(host, { passport: null, upstream: upstream.origin });
    const first = get(world, '/slow');
    await until(() => upstream.waiting.length === 1);
    for (let round = 0; round < 2; round++) {
      const socket = connect(world.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(`GET /slow HTTP/1.1\r\nHost: ${world.hostHeader(host)}\r\n\r\n`);
      await new Promise((resolve) => setTimeout(resolve, 150));
      socket.destroy();
    }
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect((await get(world, '/slow')).status).toBe(503);
    upstream.answerAll();
    expect((await first).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const next = get(world, '/slow');
    await until(() => upstream.waiting.length > 0);
    upstream.answerAll();
    expect((await next).status).toBe(200);
    await upstream.close();
    await world.close();
  });

  test('by a body that does not come, or an answer that they do not take, lose them', async () => {
    const world = await startGatewayWorld({
      visitorIdleMilliseconds: 500,
      upstreams: { connections: 1, queue: 0 },
    });
    const stalled = connect(world.port, '127.0.0.1');
    let received = '';
    stalled.on('error', () => {});
    stalled.on('data', (chunk: Buffer) => (received += chunk.toString()));
    const over = new Promise((resolve) => stalled.once('close', resolve));
    stalled.write(`POST / HTTP/1.1\r\nHost: ${world.hostHeader(host)}\r\nContent-Length: 100\r\n\r\nbegun`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    stalled.write('and more');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(received).toBe('');
    await over;
    expect(received).toMatch(/^HTTP\/1\.1 408 /);

    const reader = connect(world.port, '127.0.0.1');
    reader.on('error', () => {});
    reader.pause();
    reader.write(`GET /big?size=200000000 HTTP/1.1\r\nHost: ${world.hostHeader(host)}\r\n\r\n`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await get(world, '/')).status).toBe(503);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect((await get(world, '/')).status).toBe(200);
    reader.destroy();
    await world.close();
  });
});
