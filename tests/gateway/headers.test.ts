import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeJwt } from 'jose';
import type { CookieJar } from '../harness/cookie-jar.ts';
import { sendRaw, type Echo } from './echo-upstream.ts';
import { startGatewayWorld, type GatewayWorld } from './gateway-world.ts';

const host = 'a.app.localhost';
const open = 'open.app.localhost';

let world: GatewayWorld;
let jar: CookieJar;
beforeAll(async () => {
  world = await startGatewayWorld();
  jar = await world.signIn(host);
});
afterAll(() => world.close());
beforeEach(() => {
  world.upstream.received.length = 0;
});

const last = () => world.upstream.received.at(-1);
/** What a CGI program, a WSGI server or PHP makes of a header's name. */
const merged = (name: string) => name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
const seen = (echo: Echo | undefined, name: string) =>
  echo?.headers.filter(([each]) => merged(each) === merged(name)).map(([, value]) => value) ?? [];

const ownNames = [
  'x-vercel-oidc-passport-token',
  'x-vercel-oidc-token',
  'x-vercel-trusted-oidc-idp-token',
  'x-vercel-protection-bypass',
  'x-vercel-set-bypass-cookie',
  'x-vercel-id',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-user',
  'x-forwarded-email',
  'forwarded',
  'x-real-ip',
  'x-original-url',
];

/** Every spelling of a name: case × what stands for the hyphen. Only characters that RFC 9110 allows in a name. */
function spellings(name: string): string[] {
  const separators = ['-', '_', '.', '~', '--', "'", '!', '$', ''];
  const cases = [
    (text: string) => text,
    (text: string) => text.toUpperCase(),
    (text: string) => text.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase()),
    (text: string) =>
      text.replaceAll(/[a-z]/g, (letter, index: number) => (index % 2 ? letter.toUpperCase() : letter)),
  ];
  return separators.flatMap((separator) => cases.map((change) => change(name.replaceAll('-', separator))));
}

describe('an identity header that a client sends never arrives (security-86)', () => {
  test.each(ownNames)('%s, in every spelling, duplicated (advisory-01, advisory-03)', async (name) => {
    const sent = spellings(name).flatMap((spelling) => [spelling, 'forged', spelling, 'forged again']);
    for (const at of [host, open]) {
      const answer = await world.ask(at, '/', { jar, headers: ['accept', 'text/html', ...sent] });
      expect(answer.status).toBe(200);
      expect(JSON.stringify(last()?.headers)).not.toContain('forged');
      expect(seen(last(), name).length).toBeLessThanOrEqual(1);
    }
  });

  test('spellings one by one, from a raw socket, with and without a session', async () => {
    const cookie = jar.header(new URL(world.originOf(host))) ?? '';
    for (const spelling of spellings('x-vercel-oidc-passport-token')) {
      const head = `GET / HTTP/1.1\r\nHost: ${world.hostHeader(host)}\r\nCookie: ${cookie}\r\n`;
      const answer = await sendRaw(world.port, `${head}${spelling}: forged\r\nConnection: close\r\n\r\n`);
      expect(answer.status).toBe(200);
      const [token, ...more] = seen(last(), 'x-vercel-oidc-passport-token');
      expect(more).toEqual([]);
      expect(decodeJwt(token ?? '').external_sub).toBe('ada|1');
    }
  });

  test('and a visitor without a claim does not lend a client the place of it (advisory-04)', async () => {
    const nobody = await world.signIn(host, undefined, {
      externalSub: 'x',
      externalIss: 'https://idp.example',
      claims: {},
    });
    await world.ask(host, '/', {
      jar: nobody,
      headers: { accept: 'text/html', 'x-vercel-oidc-passport-token': 'forged' },
    });
    const claims = decodeJwt(seen(last(), 'x-vercel-oidc-passport-token')[0] ?? '');
    expect(claims).not.toHaveProperty('email');
    expect(claims).not.toHaveProperty('email_verified');
  });

  test('nor can a claim of the identity provider take the place of one of ours', async () => {
    const forged = {
      sub: 'admin',
      external_sub: 'admin',
      owner: 'evil',
      iss: 'x',
      aud: 'x',
      project_id: 'x',
      sid: 'x',
      typ: 'x',
      exp: 1,
      environment: 'x',
    };
    const eve = await world.signIn(host, undefined, {
      externalSub: 'eve',
      externalIss: 'https://idp.example',
      claims: forged,
    });
    await world.ask(host, '/', { jar: eve, headers: { accept: 'text/html' } });
    expect(decodeJwt(seen(last(), 'x-vercel-oidc-passport-token')[0] ?? '')).toMatchObject({
      external_sub: 'eve',
      owner: 'acme',
      project_id: 'prj_a',
      typ: 'passport',
      environment: 'production',
    });
  });
});

describe('our own headers always arrive (advisory-05, advisory-06, advisory-07)', () => {
  const ours = [
    'x-vercel-oidc-passport-token',
    'x-vercel-oidc-token',
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-proto',
    'forwarded',
    'x-vercel-id',
    'host',
  ];

  test.each([
    (name: string) => ['Connection', `close, ${name}`],
    (name: string) => ['connection', name.toUpperCase()],
    (name: string) => ['CONNECTION', ` \t${name}\t , keep-alive`],
    (name: string) => [
      'Connection',
      'keep-alive',
      'Connection',
      name,
      'connection',
      name.replaceAll('-', '_'),
    ],
    (name: string) => ['Proxy-Connection', name, 'Keep-Alive', name, 'Connection', `"${name}"`],
  ])('whatever Connection lists (%#)', async (headersFor) => {
    for (const name of ours) {
      const answer = await world.ask(host, '/', {
        jar,
        headers: ['accept', 'text/html', ...headersFor(name)],
      });
      expect(answer.status).toBe(200);
      for (const each of ours) expect(seen(last(), each)).toHaveLength(1);
    }
  });

  test('and say what is true', async () => {
    const answer = await world.ask(host, '/', {
      jar,
      headers: { accept: 'text/html', 'x-forwarded-for': '6.6.6.6', 'x-forwarded-proto': 'https' },
    });
    const { port } = world;
    expect(seen(last(), 'host')).toEqual([world.hostHeader(host)]);
    expect(seen(last(), 'x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(seen(last(), 'x-forwarded-host')).toEqual([world.hostHeader(host)]);
    expect(seen(last(), 'x-forwarded-proto')).toEqual(['http']);
    expect(seen(last(), 'x-forwarded-port')).toEqual([String(port)]);
    expect(seen(last(), 'forwarded')).toEqual([`for=127.0.0.1;host="${world.hostHeader(host)}";proto=http`]);
    expect(seen(last(), 'x-vercel-id')).toEqual([answer.headers['x-vercel-id']]);
  });

  test('with the address that a configured proxy gives, and no other', async () => {
    const behind = await startGatewayWorld({ trustProxy: ['127.0.0.1'] });
    await behind.ask(open, '/', { headers: { 'x-forwarded-for': '6.6.6.6, 2001:db8::1' } });
    expect(seen(behind.upstream.received[0], 'x-forwarded-for')).toEqual(['2001:db8::1']);
    expect(seen(behind.upstream.received[0], 'forwarded')[0]).toContain('for="[2001:db8::1]"');
    await behind.ask(open, '/', { headers: { 'x-forwarded-for': '6.6.6.6, hidden' } });
    expect(seen(behind.upstream.received[1], 'x-forwarded-for')).toEqual(['unknown']);
    expect(seen(behind.upstream.received[1], 'forwarded')[0]).toContain('for=unknown;');
    await behind.close();
  });
});

describe('the rest arrives as it was sent', () => {
  test('in order, in its spelling, with duplicates and bytes beyond ASCII', async () => {
    const sent = [
      'X-Custom',
      '1',
      'x-custom',
      '2',
      'Accept',
      'text/html',
      'X-Bytes',
      '\u00e9\u00ff',
      'Authorization',
      'Bearer theirs',
    ];
    await world.ask(open, '/', { headers: sent });
    const names = new Set(['x-custom', 'accept', 'x-bytes', 'authorization']);
    expect(
      last()
        ?.headers.filter(([name]) => names.has(name.toLowerCase()))
        .flat(),
    ).toEqual(sent);
  });

  test("but the connection's own headers, and what Connection lists", async () => {
    await world.ask(open, '/', {
      headers: [
        'Connection',
        'x-hop, keep-alive',
        'X-Hop',
        '1',
        'Keep-Alive',
        'timeout=5',
        'TE',
        'trailers',
        'Proxy-Authorization',
        'Basic eDp5',
        'Proxy',
        'http://evil',
        'HTTP2-Settings',
        'x',
        'Content_Length',
        '7',
        'Transfer_Encoding',
        'chunked',
      ],
    });
    const names = last()?.headers.map(([name]) => name.toLowerCase()) ?? [];
    for (const gone of [
      'x-hop',
      'keep-alive',
      'proxy-authorization',
      'proxy',
      'http2-settings',
      'content_length',
      'transfer_encoding',
    ]) {
      expect(names).not.toContain(gone);
    }
    expect(seen(last(), 'te')).toEqual(['trailers']);
  });

  test('cookies, byte for byte, without ours in any spelling (security-90)', async () => {
    const session = jar.header(new URL(world.originOf(host))) ?? '';
    const theirs = 'a=1; b="x y"; c; d=%20=; \u00e9=\u00ff';
    const ours = [
      '_vercel_passport_binding=x',
      '_Vercel_Passport=x',
      '"_vercel_passport"=x',
      '%5Fvercel_passport=x',
      '\u00a0__Host-_vercel_passport_companion=x',
      '_vercel.passport=x',
      '_vercel_passport.7=x',
      'e=1,_vercel_passport=x',
      'e=1,_vercel_passport',
      '_vercel_passport%00=x',
    ];
    await world.ask(open, '/', { headers: ['cookie', [theirs, ...ours].join('; '), 'Cookie', 'second=1'] });
    expect(seen(last(), 'cookie')).toEqual([`${theirs}; second=1`]);
    await world.ask(host, '/', { headers: ['accept', 'text/html', 'cookie', `${theirs}; ${session}`] });
    expect(seen(last(), 'cookie')).toEqual([theirs]);
  });

  test('and the query, without our parameters in any spelling, in the path and the Referer (advisory-extra: secrets)', async () => {
    const ours = [
      'x-vercel-protection-bypass=s3cret',
      'X-Vercel-Protection-Bypass=s3cret',
      'x%2dvercel%2Dprotection-bypass=s3cret',
      'x_vercel_protection_bypass=s3cret',
      'x-vercel-protection-bypass[]=s3cret',
      '+x-vercel-set-bypass-cookie=s3cret',
      '_vercel_share=s3cret',
      '%5fvercel_share=s3cret',
      'z=1;_vercel_share=s3cret',
    ];
    const query = `a=1&b=%2F%20+&${ours.join('&')}&c&=d&a=2`;
    await world.ask(open, `/p?${query}`, { headers: { referer: `http://${open}/q?${query}` } });
    expect(last()?.url).toBe('/p?a=1&b=%2F%20+&c&=d&a=2');
    expect(seen(last(), 'referer')).toEqual([`http://${open}/q?a=1&b=%2F%20+&c&=d&a=2`]);
    await world.ask(open, '/p?_vercel_share=s3cret');
    expect(last()?.url).toBe('/p');
    await sendRaw(
      world.port,
      `GET /p? HTTP/1.1\r\nHost: ${world.hostHeader(open)}\r\nConnection: close\r\n\r\n`,
    );
    expect(last()?.url).toBe('/p?');
  });
});

describe('what an upstream answers', () => {
  const asVisitor = (path: string) =>
    world.ask(host, path, {
      headers: { accept: 'text/html', cookie: jar.header(new URL(world.originOf(host))) ?? '' },
    });

  test("sets no cookie of ours and none for a parent domain, and speaks in nobody's name (security-90)", async () => {
    const answer = await asVisitor('/cookies');
    expect(answer.headers['set-cookie']).toEqual(['own=1; Path=/', 'same=1; Domain=a.app.localhost']);
    expect(answer.headers['x-vercel-error']).toBeUndefined();
    expect(answer.headers['x-vercel-oidc-token']).toBeUndefined();
    expect(answer.headers['x-hop']).toBeUndefined();
  });

  test("is nobody else's to keep when a visitor's session let it through (advisory-extra: caches)", async () => {
    const answer = await asVisitor('/cookies');
    expect(answer.headers['cache-control']).toBe('private, max-age=60');
    const forCaches = ['cdn-cache-control', 'x-accel-expires', 'edge-control', 'x-litespeed-cache-control'];
    for (const name of forCaches) expect(answer.headers[name], name).toBeUndefined();
    expect((await asVisitor('/')).headers['cache-control']).toBe('private');
    const anybody = await world.ask(open, '/cookies');
    expect(anybody.headers['cache-control']).toBe('public, max-age=60, s-maxage=600');
    for (const name of forCaches) expect(anybody.headers[name], name).toBeDefined();
  });
});
