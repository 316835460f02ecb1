import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRandom } from '../attacks/random.ts';
import type { Echo } from './echo-upstream.ts';
import { startGatewayWorld, type GatewayWorld } from './gateway-world.ts';
import { createRawRequest, forged, sentSession, sentTarget } from './raw-requests.ts';

const long = process.env['TESSERA_TEST_LONG'] === '1';
const count = long ? 1_000_000 : 20_000;
const connections = 48;
const patienceMilliseconds = 10_000;
const protectedHost = 'a.app.localhost';
const openHost = 'open.app.localhost';

let world: GatewayWorld;
let cookie: string;
let passed = 0;
const references = new Set<string>();

beforeAll(async () => {
  world = await startGatewayWorld();
  const jar = await world.signIn(protectedHost);
  cookie = jar.header(new URL(world.originOf(protectedHost))) ?? '';
});
afterAll(() => world.close());

describe('raw requests at random (advisory-12, advisory-13, advisory-14, security-92)', () => {
  test(
    `${count} are answered or cut off, and only what was decided about arrives, as it was decided about`,
    { timeout: long ? 3_600_000 : 120_000 },
    async () => {
      const random = createRandom();
      const faults: string[] = [];
      let sent = 0;
      const work = async (): Promise<void> => {
        while (sent < count && faults.length < 5) {
          sent++;
          const { bytes } = createRawRequest(random, { port: world.port, protectedHost, openHost, cookie });
          const fault = findFaultOfAnswer(await exchange(bytes));
          if (fault !== undefined) faults.push(`${fault}\n${bytes.toString('latin1')}`);
          for (const echo of world.upstream.received.splice(0)) {
            passed++;
            const wrong = findFaultOfArrival(echo);
            if (wrong !== undefined) faults.push(`${wrong}\n${JSON.stringify(echo)}`);
          }
        }
      };
      await Promise.all(Array.from({ length: connections }, work));
      expect(faults, `TEST_SEED=${random.seed}`).toEqual([]);
      // What refuses everything is closed as well, and proves nothing.
      expect(passed).toBeGreaterThan(count / 20);
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

function findFaultOfArrival({ headers, url, method }: Echo): string | undefined {
  const valuesOf = (name: string) =>
    headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
  const all = JSON.stringify(headers);
  // A name that a lost byte made another one is nobody's.
  const ours = headers.filter(([name]) =>
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, '')
      .startsWith('xvercel'),
  );
  if (JSON.stringify(ours).includes(forged)) return 'an identity header of the sender arrived';
  if (valuesOf('cookie').join().includes('_vercel_passport')) return 'a cookie of ours arrived';
  const [reference = '', ...more] = valuesOf('x-vercel-id');
  if (!/^req_\w+$/.test(reference) || more.length > 0) return 'no single reference of ours';
  // Two requests under one verdict: the second was hidden in the first.
  if (references.has(reference)) return 'two requests with one reference';
  references.add(reference);
  const tokens = valuesOf('x-vercel-oidc-passport-token');
  const [at = ''] = valuesOf('host');
  if (at.startsWith(protectedHost)) {
    if (!all.includes(sentSession)) return 'it arrived at a protected deployment without a session';
    if (tokens.length !== 1 || !tokens[0]?.startsWith('eyJ')) return 'no single visitor token of ours';
  } else if (!at.startsWith(openHost) || tokens.length > 0) {
    return `it arrived with another host or with a visitor: ${at}`;
  }
  if (['TRACE', 'CONNECT', 'PRI'].includes(method)) return `the method ${method} arrived`;
  return findFaultOfTarget(url, valuesOf(sentTarget));
}

/** advisory-12, advisory-13: the path that was decided about is the one that arrives, byte for byte. */
function findFaultOfTarget(url: string, sent: readonly string[]): string | undefined {
  if (sent.length === 1 && /secret/.test(url)) return 'a secret of ours arrived in the address';
  if (/(?:^|\/|%2f)(?:\.|%2e){1,2}(?:\/|%2f|$|\?|;)/i.test(url.split('?', 1)[0] ?? ''))
    return 'dot segments arrived';
  if (/^\/+(?:\.|%2e)well-known\/+vercel/i.test(url)) return "the gateway's own folder arrived";
  const target = Buffer.from(sent[0] ?? '', 'base64').toString('latin1');
  // Requests that were hidden in others, or were mutated, say nothing of theirs.
  if (sent.length !== 1 || !target.startsWith('/')) return undefined;
  // The request line ends its target at a space.
  const path = target.split(/[? ]/, 1)[0];
  return url.split('?', 1)[0] === path ? undefined : `another path than was sent (${target}) arrived`;
}
