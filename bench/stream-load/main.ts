import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { percentile, type Measurement } from '../figure.ts';
import { answeredFrame, sentFrame } from './frames.ts';

// The process that makes the load of streams. Prints a `Measurement`: MiB a second, or frames answered a second.
const [what = '', url = '', host = '', amount = ''] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const chunk = Buffer.alloc(64 * 1024, 'x');

async function measureDown(bytes: number): Promise<Measurement> {
  const begun = performance.now();
  const sent = httpRequest({ hostname, port, path: `/?bytes=${bytes}`, headers: { host } }).end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  let received = 0;
  answer.on('data', (data: Buffer) => {
    received += data.length;
  });
  await once(answer, 'end');
  if (answer.statusCode !== 200 || received !== bytes)
    throw new Error(`${answer.statusCode}, ${received} bytes`);
  return ofBytes(bytes, begun);
}

async function measureUp(bytes: number): Promise<Measurement> {
  const begun = performance.now();
  const sent = httpRequest({
    hostname,
    port,
    path: '/',
    method: 'POST',
    headers: { host, 'content-length': bytes },
  });
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
  for (let left = bytes; left > 0; left -= chunk.length) {
    const piece = left < chunk.length ? chunk.subarray(0, left) : chunk;
    if (!sent.write(piece)) await once(sent, 'drain');
  }
  sent.end();
  const [answer] = await answered;
  answer.resume();
  await once(answer, 'end');
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode}`);
  return ofBytes(bytes, begun);
}

function ofBytes(bytes: number, begun: number): Measurement {
  const perSecond = bytes / 1024 / 1024 / ((performance.now() - begun) / 1000);
  return { perSecond, p50: Number.NaN, p99: Number.NaN };
}

/** So many WebSockets, each with one frame under way, for four seconds. */
async function measureSockets(count: number): Promise<Measurement> {
  const times: number[] = [];
  const sockets = await Promise.all(Array.from({ length: count }, () => openSocket()));
  const begun = performance.now();
  await new Promise<void>((resolve, reject) => {
    for (const socket of sockets) {
      let sentAt = performance.now();
      let received = 0;
      socket.on('data', (data: Buffer) => {
        received += data.length;
        if (received < answeredFrame.length) return;
        received -= answeredFrame.length;
        const now = performance.now();
        times.push(now - sentAt);
        sentAt = now;
        socket.write(sentFrame);
      });
      socket.once('close', () => reject(new Error('a WebSocket was closed')));
      socket.write(sentFrame);
    }
    setTimeout(resolve, 4_000);
  });
  const elapsed = performance.now() - begun;
  times.sort((one, other) => one - other);
  return {
    perSecond: (times.length / elapsed) * 1000,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
  };
}

async function openSocket() {
  const socket = connect(Number(port), hostname);
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  const [head] = (await once(socket, 'data')) as [Buffer];
  if (!head.toString('latin1').startsWith('HTTP/1.1 101'))
    throw new Error(head.toString('latin1').slice(0, 200));
  return socket;
}

const measureWhat = { down: measureDown, up: measureUp, sockets: measureSockets }[what];
if (measureWhat === undefined) throw new Error(`there is no load "${what}"`);
console.log(JSON.stringify(await measureWhat(Number(amount))));
process.exit(0);
