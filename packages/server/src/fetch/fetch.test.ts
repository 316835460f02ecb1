import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { createGuardedFetch, FetchFailure, findRefusal, type FetchFailureReason } from './index.ts';

const running: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

async function serve(listener: RequestListener): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  const server: Server = createServer(listener);
  server.on('connection', () => (connections += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  running.push({
    close() {
      server.closeAllConnections();
      server.close();
    },
  });
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}

function guarded(needs: Partial<Parameters<typeof createGuardedFetch>[0]> = {}) {
  const fetch = createGuardedFetch({ allowPrivateHosts: [], ...needs });
  running.push(fetch);
  return fetch;
}

async function failureOf(answer: Promise<unknown>): Promise<FetchFailure> {
  const error: unknown = await answer.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FetchFailure);
  return error as FetchFailure;
}

const reasonOf = async (answer: Promise<unknown>): Promise<FetchFailureReason> =>
  (await failureOf(answer)).reason;

// Whatever the spelling, `URL` or the resolver brings it to one of a few forms; each must be refused.
const spellings = [
  '127.0.0.1', '127.1', '127.0.1', '127.255.255.254', '2130706433', '0x7f000001', '0x7f.0.0.1', '0x7F.1',
  '0177.0.0.1', '017700000001', '127.0.0.1.', '0', '0.0.0.0', '0.1.2.3', '10.0.0.1', '10.255.255.255', '012.1.2.3',
  '167772161', '100.64.0.1', '100.100.100.200', '100.127.255.255', '169.254.169.254', '169.254.0.1', '2852039166',
  '0xa9fea9fe', '0xA9.0xFE.0xA9.0xFE', '0251.0376.0251.0376', '169.254.43518', '172.16.0.1', '172.31.255.255',
  '192.0.0.1', '192.0.0.170', '192.0.2.1', '192.88.99.1', '192.168.0.1', '192.168.257', '3232235521', '198.18.0.1',
  '198.19.255.255', '198.51.100.7', '203.0.113.9', '224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255',
  '168.63.129.16', '[::1]', '[::]', '[0:0:0:0:0:0:0:1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]',
  '[::ffff:169.254.169.254]', '[::ffff:a9fe:a9fe]', '[::127.0.0.1]', '[64:ff9b::127.0.0.1]', '[64:ff9b::a9fe:a9fe]',
  '[64:ff9b:1::1]', '[fe80::1]', '[febf::1]', '[fec0::1]', '[fc00::1]', '[fd00:ec2::254]', '[ff02::1]',
  '[2001:db8::1]', '[2001::1]', '[2002:7f00:1::]', '[3fff::1]', '[100::1]', '[5f00::1]',
  '１２７.０.０.１', '①②⑦.⓪.⓪.①', '127。0。0。1',
]; // prettier-ignore

describe('the guarded fetcher', () => {
  it.each(spellings)('refuses https://%s (security-77)', async (spelling) => {
    const fetch = guarded({
      resolve: () => Promise.reject(new Error('a literal address is never resolved')),
    });
    expect(await reasonOf(fetch(`https://${spelling}/`))).toBe('address');
  });

  it.each(['8.8.8.8', '1.1.1.1', '172.15.0.1', '172.32.0.1', '100.63.255.255', '2606:4700::1111', '2a00::1'])(
    'knows %s as public',
    (address) => {
      expect(findRefusal(address)).toBeUndefined();
    },
  );

  it('knows anything that is not an address as refused', () => {
    for (const address of ['', 'localhost', '1.2.3', 'fe80::1%eth0', '2606:4700::1%eth0']) {
      expect(findRefusal(address)).toBe('not an address');
    }
  });

  it('refuses http, other schemes, credentials and what is no URL (security-77)', async () => {
    const fetch = guarded({ allowPrivateHosts: ['allowed.test'] });
    expect(await reasonOf(fetch('http://example.com/'))).toBe('scheme');
    expect(await reasonOf(fetch('file:///etc/passwd'))).toBe('scheme');
    expect(await reasonOf(fetch('ftp://allowed.test/'))).toBe('scheme');
    expect(await reasonOf(fetch('https://user:pw@example.com/'))).toBe('url');
    expect(await reasonOf(fetch('example.com'))).toBe('url');
    expect((await failureOf(fetch('https://user:geheim@example.com/'))).message).not.toContain('geheim');
  });

  it('says of a port of plain http that it is one', async () => {
    const local = await serve((_, response) => response.end('plain'));
    const fetch = guarded({ allowPrivateHosts: ['127.0.0.1'] });
    const failure = await failureOf(fetch(`https://127.0.0.1:${local.port}/`));
    expect(failure.reason).toBe('tls');
    expect(failure.mend).toContain('speaks plain http');
  });

  it('refuses a name when any of its addresses is not public (security-77)', async () => {
    const answers: Record<string, string[]> = {
      'private.test': ['10.1.2.3'],
      'mixed.test': ['8.8.8.8', '127.0.0.1'],
      'mapped.test': ['::ffff:127.0.0.1'],
    };
    const fetch = guarded({
      resolve: (host) =>
        Promise.resolve(
          (answers[host] ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
        ),
    });
    for (const host of Object.keys(answers))
      expect(await reasonOf(fetch(`https://${host}/`))).toBe('address');
    expect(await reasonOf(fetch('https://nothing.test/'))).toBe('unresolvable');
  });

  it('refuses localhost names unless they are allowed (security-78)', async () => {
    const fetch = guarded();
    expect(await reasonOf(fetch('https://localhost/'))).toBe('address');
  });

  it('resolves once, and connects to nothing but that answer (security-77)', async () => {
    const local = await serve((_, response) => response.end('inside'));
    let asked = 0;
    const fetch = guarded({
      timeoutMilliseconds: 400,
      resolve() {
        asked += 1;
        return Promise.resolve([{ address: asked === 1 ? '8.8.8.8' : '127.0.0.1', family: 4 }]);
      },
    });
    expect(['timeout', 'unreachable']).toContain(await reasonOf(fetch(`https://rebind.test:${local.port}/`)));
    expect(asked).toBe(1);
    expect(local.connections()).toBe(0);
    expect(await reasonOf(fetch(`https://rebind.test:${local.port}/`))).toBe('address');
    expect(local.connections()).toBe(0);
  });

  it('reaches an allowed host by http, for its own port alone, and maps *.localhost itself (security-78)', async () => {
    const local = await serve((request, response) => response.end(`hello ${request.headers.host}`));
    const resolve = () => Promise.reject(new Error('localhost is not asked for'));
    const fetch = guarded({ allowPrivateHosts: [`idp.localhost:${local.port}`], resolve });
    const answer = await fetch(`http://idp.localhost:${local.port}/`);
    expect(await answer.text()).toBe(`hello idp.localhost:${local.port}`);
    expect(await reasonOf(fetch('http://idp.localhost:1/'))).toBe('scheme');
    expect(await reasonOf(fetch(`http://127.0.0.1:${local.port}/`))).toBe('scheme');
    expect(await reasonOf(fetch(`http://other.localhost:${local.port}/`))).toBe('scheme');
  });

  it('does not follow a redirect (security-77)', async () => {
    const inside = await serve((_, response) => response.end('inside'));
    const local = await serve((_, response) =>
      response.writeHead(302, { location: `http://localhost:${inside.port}/` }).end(),
    );
    const fetch = guarded({ allowPrivateHosts: ['localhost'] });
    expect(await reasonOf(fetch(`http://localhost:${local.port}/`))).toBe('redirect');
    expect(inside.connections()).toBe(0);
  });

  it('gives up on an answer that drips (security-77)', async () => {
    const local = await serve((_, response) => {
      const drip = setInterval(() => response.write('.'), 20);
      response.on('close', () => clearInterval(drip));
    });
    const fetch = guarded({ allowPrivateHosts: ['localhost'], timeoutMilliseconds: 300 });
    const begun = Date.now();
    expect(await reasonOf(fetch(`http://localhost:${local.port}/`))).toBe('timeout');
    expect(Date.now() - begun).toBeLessThan(2_000);
  });

  it('gives up on a server that says nothing and on a resolver that hangs', async () => {
    const local = await serve(() => {});
    const fetch = guarded({
      allowPrivateHosts: ['localhost'],
      timeoutMilliseconds: 200,
      resolve: () => new Promise(() => {}),
    });
    expect(await reasonOf(fetch(`http://localhost:${local.port}/`))).toBe('timeout');
    expect(await reasonOf(fetch('https://hanging.test/'))).toBe('timeout');
  });

  it('reads at most 256 KiB, decoded (security-77)', async () => {
    const bodies: Record<string, [Buffer, string?]> = {
      '/whole': [Buffer.alloc(256 * 1024, 'a')],
      '/over': [Buffer.alloc(256 * 1024 + 1, 'a')],
      '/bomb': [gzipSync(Buffer.alloc(50 * 1024 * 1024)), 'gzip'],
      '/gzip': [gzipSync('zipped'), 'gzip'],
      '/br': [brotliCompressSync('brotli'), 'br'],
      '/zstd': [Buffer.from('x'), 'zstd'],
      '/broken': [Buffer.from('not gzip'), 'gzip'],
    };
    const local = await serve((request, response) => {
      const [body, encoding] = bodies[request.url ?? '']!;
      response.writeHead(200, encoding ? { 'content-encoding': encoding } : {}).end(body);
    });
    const fetch = guarded({ allowPrivateHosts: ['localhost'] });
    const at = (path: string) => fetch(`http://localhost:${local.port}${path}`);
    expect((await (await at('/whole')).arrayBuffer()).byteLength).toBe(256 * 1024);
    expect(await (await at('/gzip')).text()).toBe('zipped');
    expect(await (await at('/br')).text()).toBe('brotli');
    expect(await reasonOf(at('/over'))).toBe('too_large');
    expect(await reasonOf(at('/bomb'))).toBe('too_large');
    expect(await reasonOf(at('/zstd'))).toBe('encoding');
    expect(await reasonOf(at('/broken'))).toBe('unreachable');
  });

  it('stops an endless body without reading it', async () => {
    let sent = 0;
    const local = await serve((_, response) => {
      const chunk = Buffer.alloc(64 * 1024);
      const more = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      };
      response.on('drain', more);
      more();
    });
    const fetch = guarded({ allowPrivateHosts: ['localhost'] });
    expect(await reasonOf(fetch(`http://localhost:${local.port}/`))).toBe('too_large');
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  it('sends forms, hands on status and headers, and shows no body in an error', async () => {
    const local = await serve((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        response
          .writeHead(418, { 'x-kind': String(request.headers['content-type']) })
          .end(`${request.method} ${body}`);
      });
    });
    const fetch = guarded({ allowPrivateHosts: ['localhost'] });
    const answer = await fetch(`http://localhost:${local.port}/`, {
      method: 'POST',
      body: new URLSearchParams({ a: 'b c' }),
    });
    expect(answer.status).toBe(418);
    expect(answer.headers.get('x-kind')).toContain('application/x-www-form-urlencoded');
    expect(await answer.text()).toBe('POST a=b+c');
  });

  it('says that nothing answers', async () => {
    const fetch = guarded({ allowPrivateHosts: ['localhost'] });
    const failure = await failureOf(fetch('http://localhost:1/'));
    expect(failure.reason).toBe('unreachable');
    expect(failure.mend).not.toBe('');
  });
});
