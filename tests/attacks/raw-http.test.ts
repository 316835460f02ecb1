import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';

/** What is not HTTP, or could be read in two ways. `HOST` stands for the host that is asked. */
const requests: [string, string][] = [
  ['a request line without a version', 'GET /\r\nHost: HOST\r\n\r\n'],
  ['a request line of HTTP/2', 'GET / HTTP/2.0\r\nHost: HOST\r\n\r\n'],
  ['a request line of HTTP/2 with two Hosts', 'GET / HTTP/2.0\r\nHost: HOST\r\nHost: evil.example\r\n\r\n'],
  ['a method that is none', 'G@T / HTTP/1.1\r\nHost: HOST\r\n\r\n'],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\n\r\n'],
  ['two lengths', 'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde'],
  [
    'a length beside chunks',
    'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'an unknown transfer coding',
    'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n',
  ],
  ['a folded header', 'GET / HTTP/1.1\r\nHost: HOST\r\nX-One: a\r\n b\r\n\r\n'],
  ['a space before the colon', 'GET / HTTP/1.1\r\nHost: HOST\r\nX-One : a\r\n\r\n'],
  ['a NUL in a header', 'GET / HTTP/1.1\r\nHost: HOST\r\nX-One: a\u0000b\r\n\r\n'],
  [
    'a chunk size that is none',
    'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n',
  ],
  ['a Host that is none', 'GET / HTTP/1.1\r\nHost: a b/c?d@e\r\n\r\n'],
  ['headers of 100 KiB', `GET / HTTP/1.1\r\nHost: HOST\r\nX-One: ${'a'.repeat(100_000)}\r\n\r\n`],
  ['an address of 20 KiB', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: HOST\r\n\r\n`],
  ['an address of another scheme', 'GET ftp://HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n'],
  ['an address without a slash', 'GET evil HTTP/1.1\r\nHost: HOST\r\n\r\n'],
  ['CONNECT', 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n'],
  ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001'],
];

describe('what cannot be read as one request', () => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  test.each(requests)(
    '%s is refused or ends the connection, on our hosts and on a deployment',
    async (_title, text) => {
      for (const url of [tessera.urls.origin, world.deployment.url]) {
        const { host, port } = new URL(url);
        const answer = await exchange(Number(port), text.replaceAll('HOST', host));
        const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 400);
        expect(status, answer).toBeGreaterThanOrEqual(400);
        expect(status, answer).toBeLessThan(500);
        expect(answer.match(/^HTTP\/1\.1 \d{3}/gm)?.length ?? 0, 'one answer at most').toBeLessThanOrEqual(1);
        expect((await send(`${tessera.urls.origin}/.well-known/jwks`)).status).toBe(200);
      }
    },
  );
});

/** Sends bytes and reads until the server closes, or has answered and is silent. */
async function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(text, 'latin1')));
    const finish = (): void => {
      socket.destroy();
      resolve(received);
    };
    socket.on('data', (chunk) => {
      received += String(chunk);
      socket.setTimeout(150);
    });
    socket.once('error', finish);
    socket.once('close', finish);
    socket.setTimeout(3_000, finish);
  });
}
