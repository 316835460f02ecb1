import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRandom } from '../attacks/random.ts';
import { writeCertificate } from '../harness/certificate.ts';
import { createCookieJar } from '../harness/cookie-jar.ts';
import { openHttp2 } from '../harness/http2.ts';
import { createArrivalCheck } from './arrivals.ts';
import { fuzz } from './fuzz.ts';
import { navigation, startGatewayWorld, type GatewayWorld } from './gateway-world.ts';
import { flags, frameTypes, readFrames, readStatus } from './http2-frames.ts';
import { createHttp2Exchange, type Http2Exchange } from './http2-requests.ts';

const long = process.env['TESSERA_TEST_LONG'] === '1';
const count = long ? 100_000 : 2_000;
const connections = 24;
/** Without a word for so long, everything that will be said has been. */
const quietMilliseconds = 1_000;
/** Where every request has to be answered, a machine with much to do gets longer. */
const soundQuietMilliseconds = 6_000;
const patienceMilliseconds = 20_000;
const protectedHost = 'a.app.localhost';
const openHost = 'open.app.localhost';
const findFaultOfArrival = createArrivalCheck({ protectedHost, openHost });

const certificate = writeCertificate(['*.app.localhost']);
let world: GatewayWorld;
let cookie: string;

beforeAll(async () => {
  world = await startGatewayWorld({ https: true, certificates: [certificate.files] });
  cookie = await signIn();
});
afterAll(async () => {
  await world?.close();
  certificate.remove();
});

async function signIn(): Promise<string> {
  const { ask, close } = openHttp2(`https://${protectedHost}:${world.port}`);
  const jar = createCookieJar();
  const url = new URL(`https://${protectedHost}`);
  const open = async (path: string) => {
    const known = jar.header(url);
    const answer = await ask({
      ':authority': protectedHost,
      ':path': path,
      ...navigation,
      ...(known === undefined ? {} : { cookie: known }),
    });
    jar.store(url, answer.headers['set-cookie'] as string[] | undefined);
    return answer;
  };
  const start = await open('/');
  await open(world.finishPath(await world.handOff(String(start.headers['location']))));
  close();
  return jar.header(url) ?? '';
}

describe('HTTP/2 at random (advisory-14, advisory-24, security-92)', () => {
  test(
    `${count} connections are answered or ended, and only what was decided about arrives, as it was decided about`,
    { timeout: long ? 3_600_000 : 180_000 },
    async () => {
      const random = createRandom();
      let answered = 0;
      const { faults, arrived } = await fuzz(world, { count, connections }, findFaultOfArrival, async () => {
        const sent = createHttp2Exchange(random, { protectedHost, openHost, cookie });
        const got = await exchange(sent);
        answered += got.statuses.length;
        return { fault: findFaultOfAnswer(sent, got), sent: () => readable(sent) };
      });
      expect(faults, `TEST_SEED=${random.seed}`).toEqual([]);
      // What refuses everything is closed as well, and proves nothing.
      expect(answered).toBeGreaterThan(count / 2);
      expect(arrived).toBeGreaterThan(count / 20);
      const { ask, close } = openHttp2(`https://${openHost}:${world.port}`);
      expect((await ask({ ':authority': openHost, ':path': '/' })).status).toBe(200);
      close();
    },
  );
});

type Exchanged = { statuses: number[]; ended: Set<number>; goneAway: boolean; timedOut: boolean };

/** Sends bytes on a connection of their own, and reads until all is answered, nothing comes any more, or it ends. */
function exchange({ bytes, streams, isSound }: Http2Exchange): Promise<Exchanged> {
  return new Promise((resolve) => {
    const socket = connectTls({
      port: world.port,
      host: '127.0.0.1',
      servername: protectedHost,
      ALPNProtocols: ['h2'],
      rejectUnauthorized: false,
    });
    const got: Exchanged = { statuses: [], ended: new Set(), goneAway: false, timedOut: false };
    let rest: Buffer = Buffer.alloc(0);
    // The gateway has to let go once the sender has: whatever it still waits for will never come.
    const patience = setTimeout(() => {
      got.timedOut = true;
      socket.destroy();
    }, patienceMilliseconds);
    let quiet: NodeJS.Timeout | undefined;
    let hasLeft = false;
    const leave = () => {
      hasLeft = true;
      socket.end();
    };
    const wait = () => {
      clearTimeout(quiet);
      quiet = setTimeout(leave, isSound ? soundQuietMilliseconds : quietMilliseconds);
    };
    socket.on('secureConnect', () => {
      socket.write(bytes);
      wait();
    });
    socket.on('data', (chunk: Buffer) => {
      wait();
      const read = readFrames(Buffer.concat([rest, chunk]));
      rest = read.rest;
      for (const { type, flag, stream, payload } of read.frames) {
        if (type === frameTypes.headers) {
          const status = readStatus(payload);
          if (status !== undefined) got.statuses.push(status);
        }
        const mayEnd = type === frameTypes.headers || type === frameTypes.data;
        if (type === frameTypes.rstStream || (mayEnd && (flag & flags.endStream) !== 0))
          got.ended.add(stream);
        if (type === frameTypes.goAway) got.goneAway = true;
      }
      if (streams.every((stream) => got.ended.has(stream))) leave();
    });
    // Ended by the gateway, with a word or without: nobody waits for anything.
    socket.on('end', () => {
      if (!hasLeft) got.goneAway = true;
    });
    socket.on('error', () => {
      if (!hasLeft) got.goneAway = true;
    });
    socket.once('close', () => {
      clearTimeout(patience);
      clearTimeout(quiet);
      resolve(got);
    });
  });
}

function findFaultOfAnswer({ streams, isSound }: Http2Exchange, got: Exchanged): string | undefined {
  if (got.timedOut)
    return `no end within ${patienceMilliseconds} ms after the sender's: ${got.statuses.join()}`;
  const failed = got.statuses.find((status) => status >= 500);
  if (failed !== undefined) return `answered with ${failed}`;
  if (got.statuses.some((status) => !(status >= 100)))
    return `a status that cannot be read: ${got.statuses.join()}`;
  // On a connection without a broken frame each request has its answer, unless all of it was ended.
  const silent = streams.filter((stream) => !got.ended.has(stream));
  return isSound && !got.goneAway && silent.length > 0 ? `no answer on stream ${silent.join()}` : undefined;
}

/** What was sent, as far as it can be read in a report. */
function readable({ bytes }: Http2Exchange): string {
  return JSON.stringify(bytes.toString('latin1').replaceAll(/(.)\1{50,}/g, '$1…'));
}
