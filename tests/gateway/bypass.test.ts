import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createCookieJar } from '../harness/cookie-jar.ts';
import type { Answer } from '../harness/send.ts';
import { sendRaw } from './echo-upstream.ts';
import { navigation, startGatewayWorld, type GatewayWorld } from './gateway-world.ts';

const host = 'a.app.localhost';
const by = { actor: 'tok_1', userId: 'usr_1', teamId: 'team_a', reference: 'req_test' };
const header = 'x-vercel-protection-bypass';
const setCookie = 'x-vercel-set-bypass-cookie';
const share = '_vercel_share';

let world: GatewayWorld;
beforeAll(async () => {
  world = await startGatewayWorld();
});
afterAll(() => world.close());
beforeEach(() => {
  world.upstream.received.length = 0;
});

const everythingReceived = () => JSON.stringify(world.upstream.received);
const program = { accept: 'application/json' };
const generate = (about: object = {}, projectId = 'prj_a') =>
  world.bypasses.automation.generate(projectId, about, by);
const link = (at = host, expiresAt?: number) =>
  world.bypasses.shareLinks.generate({ host: at, projectId: 'prj_a' }, expiresAt, by);
const cookiesOf = (answer: Answer) => answer.headers['set-cookie'] ?? [];

describe('a bypass secret', () => {
  test('lets a program pass by header or query, with nobody as its identity and none of it at the upstream', async () => {
    const { secret } = await generate();
    const answers = [
      await world.ask(host, '/page?q=1', { headers: { ...program, [header]: secret } }),
      await world.ask(host, `/page?q=1&${header}=${secret}`, { headers: program }),
      await world.ask(host, '/page', {
        method: 'POST',
        body: 'data',
        headers: { [header.toUpperCase()]: secret },
      }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(world.upstream.received.map(({ url, body }) => [url, body])).toEqual([
      ['/page?q=1', ''],
      ['/page?q=1', ''],
      ['/page', 'data'],
    ]);
    expect(everythingReceived()).not.toContain(secret);
    expect(everythingReceived()).not.toContain('passport-token');
    for (const answer of answers) expect(answer.headers['cache-control']).toBe('private');
  });

  test('does nothing when it is wrong, of another project, cut, sent twice or in another spelling', async () => {
    const { secret } = await generate();
    const { secret: foreign } = await generate({}, 'prj_other');
    const other = secret.startsWith('a') ? `b${secret.slice(1)}` : `a${secret.slice(1)}`;
    const headers: string[][] = [
      [header, other],
      [header, foreign],
      [header, secret.slice(0, -1)],
      [header, `${secret} `, header, other],
      [header, secret, header, other],
      ['x_vercel_protection_bypass', secret],
      ['x-vercel-protection--bypass', secret],
      [header, ''],
      [header, `Bearer ${secret}`],
    ];
    for (const list of headers) {
      const answer = await world.ask(host, '/', { headers: ['accept', 'application/json', ...list] });
      expect([list, answer.status]).toEqual([list, 401]);
      expect(answer.text).not.toContain(secret);
    }
    for (const query of [
      `${header}=${other}`,
      `${header}=${secret}&${header}=${other}`,
      `x_${header}=${secret}`,
    ]) {
      expect((await world.ask(host, `/?${query}`, { headers: program })).status).toBe(401);
    }
    expect(world.upstream.received).toEqual([]);
  });

  test('is bound to environments, to a path at the end of a segment, and to a time', async () => {
    const { secret: forPreviews } = await generate({ environments: ['preview'] });
    const { secret: forApi } = await generate({ pathPrefix: '/api' });
    const { secret: shortLived } = await generate({ expiresAt: world.clock.now() + 60_000 });
    world.site('preview.app.localhost', { environment: 'preview' });
    const status = async (at: string, path: string, secret: string) =>
      (await world.ask(at, path, { headers: { ...program, [header]: secret } })).status;
    expect(await status(host, '/', forPreviews)).toBe(401);
    expect(await status('preview.app.localhost', '/', forPreviews)).toBe(200);
    expect(await status(host, '/api/users?x=/', forApi)).toBe(200);
    expect(await status(host, '/api', forApi)).toBe(200);
    for (const path of ['/apiary', '/', '/api%2fusers', '/api;x/y', '/api//x', '/x?/api']) {
      expect([path, await status(host, path, forApi)]).toEqual([path, 401]);
    }
    expect(await status(host, '/', shortLived)).toBe(200);
    world.clock.advance(61_000);
    expect(await status(host, '/', shortLived)).toBe(401);
  });

  test('ends at once when it is revoked, and with it its cookie', async () => {
    const { bypass, secret } = await generate();
    const jar = createCookieJar();
    await world.ask(host, '/', { jar, headers: { [header]: secret, [setCookie]: 'true' } });
    expect((await world.ask(host, '/', { jar, headers: program })).status).toBe(200);
    const successor = await world.bypasses.automation.revoke('prj_a', bypass.id, true, by);
    expect((await world.ask(host, '/', { headers: { ...program, [header]: secret } })).status).toBe(401);
    expect((await world.ask(host, '/', { jar, headers: program })).status).toBe(401);
    const fresh = { ...program, [header]: successor?.secret ?? '' };
    expect((await world.ask(host, '/', { headers: fresh })).status).toBe(200);
  });

  test('ends with its project, and so does a share link', async () => {
    const projectId = 'prj_ending';
    const at = world.site('ending.app.localhost', { projectId }).host;
    const { secret } = await generate({}, projectId);
    const shared = await world.bypasses.shareLinks.generate({ host: at, projectId }, undefined, by);
    const jar = createCookieJar();
    await world.navigate(at, `/?${share}=${shared.secret}`, jar);
    const statuses = async () => [
      (await world.ask(at, '/', { headers: { ...program, [header]: secret } })).status,
      (await world.ask(at, '/', { jar, headers: program })).status,
    ];
    expect(await statuses()).toEqual([200, 200]);
    await world.database.write([...world.bypasses.endOfProject({ id: projectId })]);
    expect(await statuses()).toEqual([401, 401]);
    const { secret: other } = await generate();
    expect((await world.ask(host, '/', { headers: { ...program, [header]: other } })).status).toBe(200);
  });

  test('is written down as used, once a minute', async () => {
    const { bypass, secret } = await generate();
    const lastUsed = async () => (await world.bypasses.automation.findLive(bypass.id))?.lastUsedAt;
    const use = () => world.ask(host, '/', { headers: { ...program, [header]: secret } });
    expect(await lastUsed()).toBeUndefined();
    await use();
    await expect.poll(lastUsed).toBeDefined();
    const first = (await lastUsed()) ?? 0;
    world.clock.advance(30_000);
    await use();
    await use();
    expect(await lastUsed()).toBe(first);
    world.clock.advance(31_000);
    await use();
    await expect.poll(lastUsed).toBeGreaterThan(first + 59_000);
  });

  test('cannot be guessed at for long, and only that network is kept out', async () => {
    const guarded = await startGatewayWorld({ trustProxy: ['127.0.0.1'] });
    try {
      const { secret } = await guarded.bypasses.automation.generate('prj_a', {}, by);
      const from = (address: string, value: string, extra: Record<string, string> = {}) =>
        guarded.ask(host, '/', {
          headers: { ...program, 'x-forwarded-for': address, [header]: value, ...extra },
        });
      const wrong = (count: number) => `wrong${String(count).padStart(27, '0')}`;
      for (let count = 0; count < 51; count++)
        expect((await from('192.0.2.1', wrong(count))).status).toBe(401);
      const stopped = await from('192.0.2.1', secret);
      expect([stopped.status, stopped.headers['retry-after']]).toEqual([429, '600']);
      expect((await from('192.0.2.2', secret)).status).toBe(200);
      guarded.clock.advance(10 * 60_000 + 1_000);
      expect((await from('192.0.2.1', secret)).status).toBe(200);
    } finally {
      await guarded.close();
    }
  });

  test('that is not a secret at all is no guess, and costs no look', async () => {
    for (let count = 0; count < 60; count++) {
      await world.ask(host, '/', { headers: { ...program, [header]: `not a secret ${count}` } });
    }
    const { secret } = await generate();
    expect((await world.ask(host, '/', { headers: { ...program, [header]: secret } })).status).toBe(200);
  });

  test('fails closed when the database does not answer', async () => {
    const { secret } = await generate();
    world.breakDatabase(new Error('gone'));
    try {
      const answer = await world.ask(host, '/', { headers: { ...program, [header]: secret } });
      expect(answer.status).toBe(503);
    } finally {
      world.breakDatabase(undefined);
    }
    expect(world.upstream.received).toEqual([]);
  });
});

describe('the cookie of a bypass secret', () => {
  test('comes with a redirect to the same page, is no secret, and passes from then on', async () => {
    const { secret } = await generate();
    const jar = createCookieJar();
    const path = `/page?a=1&${header}=${secret}&${setCookie}=true&b=2`;
    const answer = await world.navigate(host, path, jar);
    expect(answer.status).toBe(303);
    expect(answer.headers.location).toBe(`${world.originOf(host)}/page?a=1&b=2`);
    expect(answer.headers['referrer-policy']).toBe('no-referrer');
    expect(answer.headers['cache-control']).toBe('no-store');
    const [cookie = '', ...more] = cookiesOf(answer);
    expect(more).toEqual([]);
    expect(cookie).toMatch(
      /^_vercel_protection_bypass=pbs_\w{24}\.\d+\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax/,
    );
    expect(cookie).not.toContain(secret);
    expect(cookie.toLowerCase()).not.toContain('domain');
    expect((await world.navigate(host, '/page?a=1', jar)).status).toBe(200);
    expect(everythingReceived()).not.toContain('pbs_');
    expect(everythingReceived()).not.toContain('protection_bypass');
  });

  test('is of https a __Host- cookie, with SameSite=None where that is asked for', async () => {
    const secure = await startGatewayWorld({ https: true });
    try {
      const { secret } = await secure.bypasses.automation.generate('prj_a', {}, by);
      const ask = (mode: string) =>
        secure.ask(host, '/', { headers: { ...navigation, [header]: secret, [setCookie]: mode } });
      const [none = ''] = cookiesOf(await ask('samesitenone'));
      expect(none).toMatch(/^__Host-_vercel_protection_bypass=.*; Path=\/; HttpOnly; SameSite=None; Secure/);
      const [lax = ''] = cookiesOf(await ask('true'));
      expect(lax).toMatch(/; SameSite=Lax; Secure/);
      for (const mode of ['', 'false', '1', 'strict']) {
        const answer = await ask(mode);
        expect([answer.status, cookiesOf(answer)]).toEqual([200, []]);
      }
    } finally {
      await secure.close();
    }
  });

  test('lets a browser that sends the header each time not go round in circles', async () => {
    const { secret } = await generate();
    const jar = createCookieJar();
    const headers = { [header]: secret, [setCookie]: 'true' };
    expect((await world.navigate(host, '/', jar, headers)).status).toBe(303);
    expect((await world.navigate(host, '/', jar, headers)).status).toBe(200);
    // Nothing is lost of what is not a page.
    const posted = await world.ask(host, '/', { method: 'POST', body: 'kept', headers });
    expect([posted.status, world.upstream.received.at(-1)?.body]).toEqual([200, 'kept']);
  });

  test('is refused at another host, in another project, changed, twice, or as another kind (advisory-extra: bypass of another host)', async () => {
    const { secret } = await generate();
    const jar = createCookieJar();
    await world.ask(host, '/', { jar, headers: { [header]: secret, [setCookie]: 'true' } });
    const [cookie] = jar.list(host);
    const { name, value } = cookie ?? { name: '', value: '' };
    const status = async (at: string, cookieHeader: string) =>
      (await world.ask(at, '/', { headers: { ...program, cookie: cookieHeader } })).status;
    expect(await status(host, `${name}=${value}`)).toBe(200);
    expect(await status('b.app.localhost', `${name}=${value}`)).toBe(401);
    expect(await status('other-project.app.localhost', `${name}=${value}`)).toBe(401);
    expect(await status(host, `${name}=${value}; ${name}=${value}`)).toBe(401);
    expect(await status(host, `_vercel_share=${value}`)).toBe(401);
    expect(await status(host, `${name.toUpperCase()}=${value}`)).toBe(401);
    const [id = '', time = '', mac = ''] = value.split('.');
    const later = `${id}.${Number(time) + 1}.${mac}`;
    const longer = `${value}A`;
    for (const changed of [
      later,
      longer,
      `${id}.${time}`,
      `${id}..${mac}`,
      secret,
      id,
      `${id}.${time}.${'A'.repeat(43)}`,
    ]) {
      expect([changed, await status(host, `${name}=${changed}`)]).toEqual([changed, 401]);
    }
  });

  test('ends after a week, however long the secret lives, and before it where that is sooner', async () => {
    const { secret } = await generate();
    const { secret: short } = await generate({ expiresAt: world.clock.now() + 3_600_000 });
    const maxAge = async (value: string) => {
      const answer = await world.ask(host, '/', {
        headers: { ...navigation, [header]: value, [setCookie]: 'true' },
      });
      return Number(/Max-Age=(\d+)/.exec(cookiesOf(answer)[0] ?? '')?.[1]);
    };
    expect(await maxAge(secret)).toBe(7 * 86_400);
    expect(await maxAge(short)).toBeLessThanOrEqual(3_600);
  });

  test('that an upstream sets is dropped', async () => {
    const { secret } = await generate();
    const answer = await world.ask(host, '/cookies', { headers: { ...program, [header]: secret } });
    expect(cookiesOf(answer).join()).not.toMatch(/_vercel/i);
  });
});

describe('a share link', () => {
  test('becomes a cookie of its host and an address without the secret', async () => {
    const { secret } = await link();
    const jar = createCookieJar();
    const answer = await world.navigate(host, `/a/b?x=1&${share}=${secret}`, jar);
    expect(answer.status).toBe(303);
    expect(answer.headers.location).toBe(`${world.originOf(host)}/a/b?x=1`);
    expect(answer.headers['referrer-policy']).toBe('no-referrer');
    const page = await world.navigate(host, '/a/b?x=1', jar);
    expect([page.status, page.headers['cache-control']]).toEqual([200, 'private']);
    expect(everythingReceived()).not.toContain(secret);
    expect(everythingReceived()).not.toContain('vercel_share');
    expect(everythingReceived()).not.toContain('passport-token');
    // A form sent to the link itself keeps its body.
    const posted = await world.ask(host, `/?${share}=${secret}`, { method: 'POST', body: 'kept' });
    expect([posted.status, world.upstream.received.at(-1)?.body]).toEqual([200, 'kept']);
  });

  test('passes at its host alone, and its cookie as well (advisory-extra: bypass of another host)', async () => {
    const { secret } = await link();
    const jar = createCookieJar();
    await world.navigate(host, `/?${share}=${secret}`, jar);
    const [cookie] = jar.list(host);
    expect(cookie?.name).toBe('_vercel_share');
    const sent = { ...program, cookie: `_vercel_share=${cookie?.value}` };
    expect((await world.ask(host, '/', { headers: sent })).status).toBe(200);
    expect((await world.ask('b.app.localhost', '/', { headers: sent })).status).toBe(401);
    expect((await world.ask('b.app.localhost', `/?${share}=${secret}`, { headers: program })).status).toBe(
      401,
    );
    expect(
      (await world.ask(host, '/', { headers: { ...program, [share]: secret, [header]: secret } })).status,
    ).toBe(401);
  });

  test('dies with a new one, with its time, and when it is revoked', async () => {
    const enter = async (secret: string) => {
      const jar = createCookieJar();
      await world.navigate(host, `/?${share}=${secret}`, jar);
      return jar;
    };
    const passes = async (jar: ReturnType<typeof createCookieJar>) =>
      (await world.ask(host, '/', { jar, headers: program })).status === 200;
    const first = await link();
    const jarOfFirst = await enter(first.secret);
    expect(await passes(jarOfFirst)).toBe(true);
    const second = await link(host, world.clock.now() + 60_000);
    expect(await passes(jarOfFirst)).toBe(false);
    expect(await passes(await enter(first.secret))).toBe(false);
    const jarOfSecond = await enter(second.secret);
    expect(await passes(jarOfSecond)).toBe(true);
    world.clock.advance(61_000);
    expect(await passes(jarOfSecond)).toBe(false);
    const third = await link();
    const jarOfThird = await enter(third.secret);
    await world.bypasses.shareLinks.revoke({ host, projectId: third.link.projectId }, third.secret, by);
    expect(await passes(jarOfThird)).toBe(false);
    expect(await passes(await enter(third.secret))).toBe(false);
  });

  test('that is none leads to the sign-in, at an address without it', async () => {
    const answer = await world.navigate(host, `/x?${share}=${'A1b2C3d4'.repeat(4)}&y=1`, createCookieJar());
    expect(answer.status).toBe(303);
    expect(answer.headers.location).toMatch(/\/connect\/start\?code=/);
    const programs = await world.ask(host, `/x?${share}=${'A1b2C3d4'.repeat(4)}&y=1`, { headers: program });
    expect((programs.json() as { error: { signInUrl: string } }).error.signInUrl).toBe(
      `${world.originOf(host)}/x?y=1`,
    );
  });
});

describe('secrets on their way', () => {
  test('are in no Referer, nor does a page at such an address send one', async () => {
    const { secret } = await generate();
    const referer = `${world.originOf(host)}/?a=1&${header}=${secret}&X_Vercel_Share=1&%5fvercel%5fshare=${secret}`;
    const answer = await world.ask(host, `/?${header}=${secret}`, { headers: { ...program, referer } });
    expect(answer.headers['referrer-policy']).toBe('no-referrer');
    expect(everythingReceived()).not.toContain(secret);
    const plain = await world.ask(host, '/', { headers: { ...program, [header]: secret } });
    expect(plain.headers['referrer-policy']).toBeUndefined();
  });

  test.each([
    `X-Vercel-Protection-Bypass=SECRET`,
    `x_vercel_protection_bypass=SECRET`,
    `x.vercel.protection.bypass=SECRET`,
    `x-vercel-protection-bypass%5b%5d=SECRET`,
    `x-vercel-protection-bypass[]=SECRET`,
    `%78-vercel-protection-bypass=SECRET`,
    `%2578-vercel-protection-bypass=SECRET`,
    `%20x-vercel-protection-bypass=SECRET`,
    `+x-vercel-protection-bypass=SECRET`,
    `a=1;x-vercel-protection-bypass=SECRET`,
    `_vercel_share=SECRET`,
    `_Vercel_Share=SECRET`,
    `_vercel%5Fshare=SECRET`,
    `-vercel-share=SECRET`,
    `_vercel_share[0]=SECRET`,
  ])('never arrive in the query, spelled %s', async (spelled) => {
    const { secret } = await generate();
    const query = spelled.replace('SECRET', secret);
    const headers = { ...program, [header]: secret, referer: `${world.originOf(host)}/?${query}` };
    const answer = await world.ask(host, `/?q=1&${query}&r=2`, { headers });
    expect([200, 303]).toContain(answer.status);
    expect(everythingReceived()).not.toContain(secret);
  });

  test('never arrive with a WebSocket either, and its page must be of this host where a cookie opens it', async () => {
    const { secret } = await generate();
    const jar = createCookieJar();
    await world.ask(host, '/', { jar, headers: { [header]: secret, [setCookie]: 'true' } });
    const cookie = jar.header(new URL(world.originOf(host))) ?? '';
    const upgrade = (path: string, lines: string[]) =>
      sendRaw(
        world.port,
        [
          `GET ${path} HTTP/1.1`,
          `Host: ${world.hostHeader(host)}`,
          'Connection: Upgrade',
          'Upgrade: websocket',
          'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
          ...lines,
          '',
          '',
        ].join('\r\n'),
      );
    const referer = `Referer: ${world.originOf(host)}/?${header}=${secret}`;
    const spelled = [
      `${header}: ${secret}`,
      `X_Vercel_Protection_Bypass: ${secret}`,
      `${setCookie}: true`,
      referer,
    ];
    expect((await upgrade(`/socket?${header}=${secret}`, spelled)).status).toBe(101);
    expect((await upgrade('/socket', [`Cookie: ${cookie}; a=1`])).status).toBe(101);
    expect(everythingReceived()).not.toContain(secret);
    expect(everythingReceived()).not.toContain('pbs_');
    const own = `Origin: ${world.originOf(host)}`;
    const sibling = `Origin: ${world.originOf('b.app.localhost')}`;
    expect((await upgrade('/socket', [`Cookie: ${cookie}`, own])).status).toBe(101);
    expect((await upgrade('/socket', [`Cookie: ${cookie}`, sibling])).status).toBe(403);
    expect((await upgrade('/socket', [`${header}: ${secret}`, sibling])).status).toBe(101);
    expect((await upgrade('/socket', [])).status).toBe(401);
  });

  test('hold a WebSocket open no longer than they live', async () => {
    const { bypass, secret } = await generate();
    const received = sendRaw(
      world.port,
      `GET /socket HTTP/1.1\r\nHost: ${world.hostHeader(host)}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${header}: ${secret}\r\n\r\n`,
      8_000,
    );
    await expect.poll(() => world.upstream.received.length).toBe(1);
    await world.bypasses.automation.revoke('prj_a', bypass.id, false, by);
    const { status, closed } = await received;
    expect([status, closed]).toEqual([101, true]);
  }, 15_000);
});
