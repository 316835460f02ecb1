import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRandom } from '../attacks/random.ts';
import { createArrivalCheck } from './arrivals.ts';
import { fuzz } from './fuzz.ts';
import { startGatewayWorld, type GatewayWorld } from './gateway-world.ts';
import { createRawRequest } from './raw-requests.ts';

const long = process.env['TESSERA_TEST_LONG'] === '1';
const count = long ? 1_000_000 : 20_000;
const connections = 48;
const patienceMilliseconds = 10_000;
const protectedHost = 'a.app.localhost';
const openHost = 'open.app.localhost';

let world: GatewayWorld;
let cookie: string;
const findFaultOfArrival = createArrivalCheck({ protectedHost, openHost });

beforeAll(async () => {
  world = await startGatewayWorld();
  const jar = await world.signIn(protectedHost);
  cookie = jar.header(new URL(world.originOf(protectedHost))) ?? '';
});
afterAll(() => world.close());

describe('raw requests at random (advisory-12, advisory-13, advisory-14, security-92)', () => {
  test(
    `${count} are answered or cut off, and only what was decided about arrives, as it was decided about`,
    { timeout: long ? 14_400_000 : 120_000 },
    async () => {
      const random = createRandom();
      const { faults, arrived } = await fuzz(world, { count, connections }, findFaultOfArrival, async () => {
        const { bytes } = createRawRequest(random, { port: world.port, protectedHost, openHost, cookie });
        return { fault: findFaultOfAnswer(await exchange(bytes)), sent: () => bytes.toString('latin1') };
      });
      expect(faults, `TEST_SEED=${random.seed}`).toEqual([]);
      // What refuses everything is closed as well, and proves nothing.
      expect(arrived).toBeGreaterThan(count / 20);
      expect((await world.ask(openHost, '/')).status).toBe(200);
    },
  );
});

type Exchanged = { text: string; timedOut: boolean };

/** Sends bytes on a connection of their own, says that nothing follows, and reads what comes until it ends. */
function exchange(bytes: Buffer): Promise<Exchanged> {
  return new Promise((resolve) => {
    const socket = connect(world.port, '127.0.0.1');
    let text = '';
    let timedOut = false;
    const patience = setTimeout(() => {
      timedOut = true;
      socket.destroy();
    }, patienceMilliseconds);
    socket.on('connect', () => socket.end(bytes));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(patience);
      resolve({ text, timedOut });
    });
  });
}

function findFaultOfAnswer({ text, timedOut }: Exchanged): string | undefined {
  if (timedOut) return `no answer and no end within ${patienceMilliseconds} ms: ${text.slice(0, 200)}`;
  for (const [, status] of text.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)) {
    if (Number(status) >= 500) return `answered with ${status}: ${text.slice(0, 400)}`;
  }
  return undefined;
}
