import { createServer, request as requestHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createRequestContext,
  registerRequestContext,
  withRequestContext,
} from '@tessera/oidc/request-context';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '../../examples/listen.ts';

const symbol = Symbol.for('@vercel/request-context');
const place = globalThis as { [key: symbol]: { get?: () => { headers?: Record<string, string> } } };
const read = () => place[symbol]?.get?.()?.headers;
const header = 'x-vercel-oidc-token';

let before: (typeof place)[symbol];
beforeEach(() => {
  before = place[symbol] as (typeof place)[symbol];
  delete place[symbol];
});
afterEach(() => {
  if (before === undefined) delete place[symbol];
  else place[symbol] = before;
});

describe('the request context', () => {
  test('is of the request that is being answered, through all that it awaits', async () => {
    const context = createRequestContext();
    expect(read()).toBeUndefined();
    const seen = await Promise.all(
      ['a', 'b', 'c'].map((token, index) =>
        context.run({ [header]: token }, async () => {
          await sleep(10 * (3 - index));
          return read()?.[header];
        }),
      ),
    );
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(read()).toBeUndefined();
  });

  test("holds the platform's headers and no credential of the visitor", () => {
    const headers = {
      'X-Vercel-OIDC-Token': 'a',
      'x-vercel-id': 'req_1',
      cookie: '_vercel_passport=stolen',
      authorization: 'Bearer stolen',
      'x-vercelish': 'b',
      x_vercel_oidc_token: 'c',
    };
    const context = createRequestContext();
    const wanted = { 'x-vercel-oidc-token': 'a', 'x-vercel-id': 'req_1' };
    expect(context.run(headers, read)).toEqual(wanted);
    expect(context.run(new Headers(headers), read)).toEqual(wanted);
    expect(context.run(undefined, read)).toEqual({});
  });

  test('a header that came twice is nobody’s', () => {
    const context = createRequestContext();
    expect(context.run({ [header]: ['a', 'b'] }, read)).toEqual({ [header]: 'a, b' });
  });

  test('another wire prefix has another name', () => {
    const own = Symbol.for('@acme/request-context');
    const context = createRequestContext({ wirePrefix: 'acme' });
    try {
      expect(
        context.run({ 'x-acme-oidc-token': 'a', [header]: 'b' }, () => place[own]?.get?.()?.headers),
      ).toEqual({ 'x-acme-oidc-token': 'a' });
      expect(place[symbol]).toBeUndefined();
    } finally {
      delete place[own];
    }
  });

  test('what the platform set stays, and is overlaid in a request', () => {
    const waitUntil = () => undefined;
    place[symbol] = { get: () => ({ headers: { [header]: 'platform' } }), waitUntil } as never;
    const context = createRequestContext();
    expect(read()).toEqual({ [header]: 'platform' });
    expect(context.run({ [header]: 'a' }, read)).toEqual({ [header]: 'a' });
    expect(place[symbol]).toHaveProperty('waitUntil', waitUntil);
  });

  test('two copies of the module do not hide each other', () => {
    const [one, other] = [createRequestContext(), createRequestContext()];
    expect(one.run({ [header]: 'a' }, read)).toEqual({ [header]: 'a' });
    expect(other.run({ [header]: 'b' }, read)).toEqual({ [header]: 'b' });
  });
});

describe('registered for every server of the process', () => {
  test('requests of one connection see their own headers alone, also pipelined ones', async () => {
    registerRequestContext();
    const server = createServer((request, response) => {
      void (async () => {
        await sleep(request.url === '/slow' ? 50 : 1);
        response.end(`<${read()?.[header] ?? 'none'}>`);
      })();
    });
    const running = await listen(server, 0);
    const { port } = new URL(running.url);
    const socket = connect(Number(port), '127.0.0.1');
    const requests = [
      `GET /slow HTTP/1.1\r\nhost: a\r\n${header}: first\r\n\r\n`,
      'GET / HTTP/1.1\r\nhost: a\r\n\r\n',
      `GET / HTTP/1.1\r\nhost: a\r\n${header}: third\r\nconnection: close\r\n\r\n`,
    ];
    socket.write(requests.join(''));
    let text = '';
    for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
    expect(text.match(/<\w+>/g)).toEqual(['<first>', '<none>', '<third>']);
    expect(read()).toBeUndefined();
    await running.close();
  });

  test('a listener of node:http, wrapped', async () => {
    const server = createServer(
      withRequestContext(async (request: IncomingMessage, response: ServerResponse) => {
        let size = 0;
        for await (const chunk of request) size += (chunk as Buffer).length;
        response.end(`${read()?.[header]} ${size}`);
      }),
    );
    const running = await listen(server, 0);
    const answer = await new Promise<string>((resolve, reject) => {
      const request = requestHttp(running.url.replace('localhost', '127.0.0.1'), {
        method: 'POST',
        headers: { [header]: 'a' },
      });
      request.once('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.once('end', () => resolve(text));
      });
      request.once('error', reject);
      request.end('body');
    });
    expect(answer).toBe('a 4');
    await running.close();
  });
});
