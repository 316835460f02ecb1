import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { createCookieJar, type CookieJar } from '../harness/cookie-jar.ts';
import { ada, navigation, startGatewayWorld, type GatewayWorld } from './gateway-world.ts';
import type { Echo } from './echo-upstream.ts';

let world: GatewayWorld;
beforeAll(async () => {
  world = await startGatewayWorld();
});
afterAll(() => world.close());
beforeEach(() => {
  world.upstream.received.length = 0;
});

const host = 'a.app.localhost';
const header = (echo: Echo | undefined, name: string) =>
  echo?.headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
const cookieOf = (jar: CookieJar, name: string, at = host) =>
  jar.list(at).find((cookie) => cookie.name === name)?.value;

describe('a visitor of a protected deployment', () => {
  test('signs in once and the deployment learns who they are', async () => {
    const jar = createCookieJar();
    const start = await world.navigate(host, '/deep/page?q=1', jar);
    expect(start.status).toBe(303);
    expect(start.headers['cache-control']).toBe('no-store');
    expect(start.headers['referrer-policy']).toBe('no-referrer');
    expect(start.headers.location).toMatch(new RegExp(`^${world.urls.connect}/start\\?code=[\\w-]{43}$`));

    const code = await world.handOff(start.headers.location);
    const finished = await world.navigate(host, world.finishPath(code), jar);
    expect(finished.status).toBe(303);
    expect(finished.headers.location).toBe(`${world.originOf(host)}/deep/page?q=1`);
    expect(finished.headers['cache-control']).toBe('no-store');
    expect(finished.headers['referrer-policy']).toBe('no-referrer');

    const page = await world.navigate(host, '/deep/page?q=1', jar);
    expect(page.status).toBe(200);
    const echo = world.upstream.received.at(-1);
    expect(echo?.url).toBe('/deep/page?q=1');
    expect(header(echo, 'cookie')).toEqual([]);
    const [token = ''] = header(echo, 'x-vercel-oidc-passport-token') ?? [];
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'RS256', typ: 'JWT' });
    const claims = decodeJwt(token);
    expect(claims).toMatchObject({
      iss: `${world.urls.passport}/acme`,
      aud: `${world.urls.origin}/acme/a/production`,
      typ: 'passport',
      sub: 'owner:acme:connector:scl_a:principal:ada|1',
      scope: claims.sub,
      external_sub: ada.externalSub,
      external_iss: ada.externalIss,
      connector_id: 'scl_a',
      owner: 'acme',
      owner_id: 'team_a',
      project: 'a',
      project_id: 'prj_a',
      environment: 'production',
      deployment_id: 'dpl_a',
      email: 'ada@example.com',
      email_verified: true,
      name: 'Ada',
      groups: ['staff'],
    });
    expect(claims).not.toHaveProperty('host');
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(300);
    expect(decodeJwt(header(echo, 'x-vercel-oidc-token')?.[0] ?? '').sub).toBe(
      'owner:acme:project:a:environment:production',
    );
  });

  test('is who the identity provider names, not whoever has their address (security-97)', async () => {
    const subjects = [];
    for (const externalSub of ['ada|1', 'somebody-else', 'ADA|1']) {
      const jar = await world.signIn(host, createCookieJar(), { ...ada, externalSub });
      await world.navigate(host, '/', jar);
      const token = header(world.upstream.received.at(-1), 'x-vercel-oidc-passport-token')?.[0];
      const { sub, external_sub: external, email } = decodeJwt(token ?? '');
      expect([external, email]).toEqual([externalSub, 'ada@example.com']);
      subjects.push(sub);
    }
    expect(new Set(subjects).size).toBe(3);
  });

  test('is told apart from a program, which gets 401 and the address to sign in at', async () => {
    const attempts: Record<string, string>[] = [
      { accept: 'application/json' },
      { accept: '*/*' },
      {},
      { ...navigation, 'sec-fetch-mode': 'cors' },
      { ...navigation, 'sec-purpose': 'prefetch' },
    ];
    for (const headers of attempts) {
      const answer = await world.ask(host, '/x?y=1', { headers });
      expect(answer.status).toBe(401);
      expect(answer.headers.location).toBeUndefined();
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
    const answer = await world.ask(host, '/x?y=1', { headers: { accept: 'application/json' } });
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.headers['x-vercel-error']).toBe('SIGN_IN_REQUIRED');
    const body = answer.json() as { error: Record<string, string>; reference: string };
    expect(body.error).toMatchObject({
      code: 'SIGN_IN_REQUIRED',
      signInUrl: `${world.originOf(host)}/x?y=1`,
    });
    expect(body.reference).toBe(answer.headers['x-vercel-id']);

    const post = await world.ask(host, '/form', { method: 'POST', body: 'a=1', headers: navigation });
    expect(post.status).toBe(401);
    // A person sees it: a link leads on, to the front page, as nothing of a form is kept.
    expect(post.text).toContain(`href="${world.originOf(host)}/"`);
    for (const mode of ['cors', 'same-origin', 'no-cors']) {
      const script = await world.ask(host, '/form', {
        method: 'POST',
        body: 'a=1',
        headers: { ...navigation, 'sec-fetch-mode': mode },
      });
      expect(script.status).toBe(401);
      expect(script.json()).toMatchObject({ error: { signInUrl: `${world.originOf(host)}/` } });
    }
    expect(world.upstream.received).toEqual([]);
  });

  test('is given one token for five minutes, and a new one before it is too old', async () => {
    const jar = await world.signIn(host);
    const tokenOf = async () => {
      await world.navigate(host, '/', jar);
      return header(world.upstream.received.at(-1), 'x-vercel-oidc-passport-token')?.[0];
    };
    const first = await tokenOf();
    expect(await tokenOf()).toBe(first);
    world.clock.advance(4 * 60_000 + 1_000);
    const second = await tokenOf();
    expect(second).not.toBe(first);
    // In its last minute nothing lasts longer than the session: nothing new is signed.
    world.clock.advance(55 * 60_000 + 10_000);
    const last = await tokenOf();
    expect(last).toBeDefined();
    expect(last).not.toBe(second);
    world.clock.advance(20_000);
    expect(await tokenOf()).toBe(last);
  });

  test('keeps one cookie for all attempts at a host, which do not disturb each other', async () => {
    const jar = createCookieJar();
    const tabs = [];
    for (const path of ['/one', '/two', '/three']) tabs.push(await world.navigate(host, path, jar));
    // One for all, and one that the first attempt alone was given.
    expect(jar.list(host)).toHaveLength(2);
    for (const [index, path] of ['/one', '/two', '/three'].entries()) {
      const code = await world.handOff(tabs[index]?.headers.location);
      const finished = await world.navigate(host, world.finishPath(code), jar);
      expect(finished.headers.location).toBe(`${world.originOf(host)}${path}`);
    }
    expect((await world.navigate(host, '/', jar)).status).toBe(200);
  });

  test('may open several tabs at once in a fresh browser', async () => {
    const jar = createCookieJar();
    const paths = ['/one', '/two', '/three'];
    // None of them has a cookie yet, and each is given one.
    const tabs = await Promise.all(paths.map((path) => world.ask(host, path, { headers: navigation })));
    for (const tab of tabs) jar.store(new URL(world.originOf(host)), tab.headers['set-cookie']);
    for (const [index, path] of paths.entries()) {
      const code = await world.handOff(tabs[index]?.headers.location);
      const finished = await world.navigate(host, world.finishPath(code), jar);
      expect(finished.headers.location).toBe(`${world.originOf(host)}${path}`);
    }
    expect(jar.list(host).map(({ name }) => name)).toEqual([
      '_vercel_passport_binding',
      '_vercel_passport',
      '_vercel_passport_companion',
    ]);
  });

  test('loses the session when its time is over', async () => {
    const jar = await world.signIn(host);
    world.clock.advance(3_601_000);
    expect((await world.navigate(host, '/', jar)).status).toBe(303);
  });

  test('finds a deployment that is not protected open, as nobody', async () => {
    const jar = await world.signIn(host);
    for (const { name, value } of jar.list(host)) jar.set({ name, value, host: 'open.app.localhost' });
    const answer = await world.navigate('open.app.localhost', '/', jar);
    expect(answer.status).toBe(200);
    const echo = world.upstream.received.at(-1);
    expect(header(echo, 'x-vercel-oidc-passport-token')).toEqual([]);
    expect(header(echo, 'cookie')).toEqual([]);
    expect(header(echo, 'x-vercel-oidc-token')).toHaveLength(1);
  });
});

describe('a captured cookie (advisory-extra: session of another host)', () => {
  test.each(['b.app.localhost', 'other-project.app.localhost', 'other-team.app.localhost'])(
    'is nothing at %s',
    async (other) => {
      const jar = await world.signIn(host);
      const thief = createCookieJar();
      for (const { name, value } of jar.list(host)) thief.set({ name, value, host: other });
      expect((await world.navigate(other, '/', thief)).status).toBe(303);
      expect(world.upstream.received).toHaveLength(0);
    },
  );

  test('is nothing after the host was given to another project, or environment', async () => {
    const moving = 'moving.app.localhost';
    world.site(moving);
    const jar = await world.signIn(moving);
    expect((await world.navigate(moving, '/', jar)).status).toBe(200);
    world.site(moving, { environment: 'preview' });
    expect((await world.navigate(moving, '/', jar)).status).toBe(303);
    world.site(moving, { projectId: 'prj_new' });
    expect((await world.navigate(moving, '/', jar)).status).toBe(303);
    world.site(moving, { deploymentId: 'dpl_newer' });
    expect((await world.navigate(moving, '/', jar)).status).toBe(200);
  });

  test('is nothing without its companion, or with that of another session', async () => {
    const jar = await world.signIn(host);
    const other = await world.signIn(host);
    const session = cookieOf(jar, '_vercel_passport') ?? '';
    const alone = createCookieJar();
    alone.set({ name: '_vercel_passport', value: session, host });
    expect((await world.navigate(host, '/', alone)).status).toBe(303);
    alone.set({
      name: '_vercel_passport_companion',
      value: cookieOf(other, '_vercel_passport_companion') ?? '',
      host,
    });
    expect((await world.navigate(host, '/', alone)).status).toBe(303);
  });

  test('and the token that the upstream got are not each other', async () => {
    const jar = await world.signIn(host);
    await world.navigate(host, '/', jar);
    const [token = ''] = header(world.upstream.received.at(-1), 'x-vercel-oidc-passport-token') ?? [];
    const replay = createCookieJar();
    for (const { name, value } of jar.list(host)) replay.set({ name, value, host });
    replay.set({ name: '_vercel_passport', value: token, host });
    expect((await world.navigate(host, '/', replay)).status).toBe(303);

    const session = cookieOf(jar, '_vercel_passport') ?? '';
    const answer = await world.ask(host, '/', {
      headers: { 'x-vercel-oidc-passport-token': session, ...navigation },
    });
    expect(answer.status).toBe(303);
    await expect(
      world.keys.verify(session, {
        purpose: 'passport',
        type: 'JWT',
        issuer: `${world.urls.passport}/acme`,
        audience: `${world.urls.origin}/acme/a/production`,
      }),
    ).rejects.toThrow();
  });

  test('is not believed when two of one name are sent, and the page says so', async () => {
    const jar = await world.signIn(host);
    const sent = jar.header(new URL(world.originOf(host))) ?? '';
    const session = cookieOf(jar, '_vercel_passport') ?? '';
    for (const cookie of [
      `${sent}; _vercel_passport=tossed`,
      `_vercel_passport=tossed; ${sent}`,
      `${sent}; _vercel_passport=${session}`,
      `${sent}; _vercel_passport.0=x`,
      `${sent}; _vercel_passport_companion=x`,
    ]) {
      const answer = await world.ask(host, '/', { headers: { ...navigation, cookie } });
      expect(answer.status).toBe(400);
      expect(answer.headers['x-vercel-error']).toBe('COOKIES_AMBIGUOUS');
      expect(answer.headers['clear-site-data']).toBe('"cookies"');
      expect(answer.text).toContain('two sign-in cookies');
      const program = await world.ask(host, '/', { headers: { accept: 'application/json', cookie } });
      expect(program.status).toBe(401);
    }
    const apart = await world.ask(host, '/', {
      headers: [...Object.entries(navigation).flat(), 'cookie', sent, 'Cookie', '_vercel_passport=tossed'],
    });
    expect(apart.status).toBe(400);
    expect(world.upstream.received).toEqual([]);
  });

  test('is put together from its parts when it is large, and refused when it is too large', async () => {
    const groups = Array.from({ length: 220 }, (_, index) => `group-number-${index}-of-a-large-company`);
    const jar = await world.signIn(host, createCookieJar(), { ...ada, claims: { groups } });
    const names = jar.list(host).map(({ name }) => name);
    expect(names.filter((name) => /^_vercel_passport\.\d$/.test(name)).length).toBeGreaterThan(1);
    expect((await world.navigate(host, '/', jar)).status).toBe(200);
    expect(header(world.upstream.received.at(-1), 'cookie')).toEqual([]);

    // A smaller session replaces it whole: no part of the old one stays.
    const code = await world.handOff((await world.navigate(host, '/', withoutSession(jar))).headers.location);
    await world.navigate(host, world.finishPath(code), jar);
    expect(jar.list(host).filter(({ name }) => /\.\d$/.test(name))).toEqual([]);
    expect((await world.navigate(host, '/', jar)).status).toBe(200);

    const huge = {
      ...ada,
      claims: { groups: Array.from({ length: 900 }, (_, index) => `group-number-${index}`) },
    };
    await expect(world.signIn(host, createCookieJar(), huge)).rejects.toThrow('VISITOR_TOO_LARGE');
  });
});

function withoutSession(jar: CookieJar): CookieJar {
  const copy = createCookieJar();
  for (const { name, value } of jar.list(host)) {
    if (name.endsWith('_binding')) copy.set({ name, value, host });
  }
  return copy;
}

describe('a hand-off code (advisory-extra: hand-off, security-89)', () => {
  const begin = async (jar: CookieJar, path = '/page') =>
    world.handOff((await world.navigate(host, path, jar)).headers.location);

  test('works once; a spent one leads a browser back to the page, and a program nowhere', async () => {
    const jar = createCookieJar();
    const code = await begin(jar);
    expect((await world.navigate(host, world.finishPath(code), jar)).status).toBe(303);
    const sessions = cookieOf(jar, '_vercel_passport');
    const again = await world.navigate(host, world.finishPath(code), jar);
    expect(again.status).toBe(303);
    expect(again.headers.location).toBe(`${world.originOf(host)}/page`);
    expect(again.headers['set-cookie']).toBeUndefined();
    expect(cookieOf(jar, '_vercel_passport')).toBe(sessions);
    const program = await world.ask(host, world.finishPath(code), { jar });
    expect(program.status).toBe(400);
    expect(program.headers['x-vercel-error']).toBe('HAND_OFF_SPENT');
  });

  test('makes one session of a hundred parallel presentations', async () => {
    const jar = createCookieJar();
    const code = await begin(jar);
    const cookie = jar.header(new URL(world.originOf(host))) ?? '';
    const answers = await Promise.all(
      Array.from({ length: 100 }, () =>
        world.ask(host, world.finishPath(code), { headers: { ...navigation, cookie } }),
      ),
    );
    expect(answers.every(({ status }) => status === 303)).toBe(true);
    expect(answers.filter(({ headers }) => headers['set-cookie'] !== undefined)).toHaveLength(1);
  });

  test('presented by another browser is refused, and spent by that', async () => {
    const jar = createCookieJar();
    const code = await begin(jar, '/secret-path');
    const stranger = createCookieJar();
    const refused = await world.navigate(host, world.finishPath(code), stranger);
    expect(refused.status).toBe(403);
    expect(refused.headers['x-vercel-error']).toBe('HAND_OFF_REFUSED');
    expect(refused.text).toContain('hand_off');
    expect(refused.text).not.toContain('secret-path');
    expect(refused.text).toMatch(/id="error-reference">ref_\w{16}</);
    const late = await world.navigate(host, world.finishPath(code), jar);
    expect(late.status).toBe(303);
    expect(late.headers['set-cookie']).toBeUndefined();
  });

  test('presented with the cookie of another attempt is refused', async () => {
    const victim = createCookieJar();
    const attacker = createCookieJar();
    await begin(victim);
    const code = await begin(attacker);
    expect((await world.navigate(host, world.finishPath(code), victim)).status).toBe(403);
  });

  test('presented at another host is refused, and spent by that', async () => {
    const jar = createCookieJar();
    const code = await begin(jar);
    const other = 'b.app.localhost';
    for (const { name, value } of jar.list(host)) jar.set({ name, value, host: other });
    expect((await world.navigate(other, world.finishPath(code), jar)).status).toBe(403);
    const late = await world.navigate(host, world.finishPath(code), jar);
    expect(late.headers['set-cookie']).toBeUndefined();
  });

  test('is over after a minute', async () => {
    const jar = createCookieJar();
    const code = await begin(jar);
    world.clock.advance(61_000);
    const answer = await world.navigate(host, world.finishPath(code), jar);
    expect(answer.status).toBe(303);
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  test.each([
    '',
    '?code=',
    '?code=x',
    `?code=${'a'.repeat(43)}`,
    '?code=a&code=b',
    `?code=${'a'.repeat(5_000)}`,
  ])('that is none (%#) is refused with a page', async (query) => {
    const answer = await world.ask(host, `${world.wire.finishPath}${query}`, { headers: navigation });
    expect(answer.status).toBe(400);
    expect(answer.headers['x-vercel-error']).toBe('HAND_OFF_UNKNOWN');
  });

  test('is not redeemed by HEAD or POST', async () => {
    const jar = createCookieJar();
    const code = await begin(jar);
    for (const method of ['HEAD', 'POST', 'OPTIONS']) {
      expect((await world.ask(host, world.finishPath(code), { method, jar })).status).toBe(405);
    }
    expect((await world.navigate(host, world.finishPath(code), jar)).headers['set-cookie']).toHaveLength(3);
  });

  test('for a project whose connector was changed meanwhile is refused', async () => {
    const changing = 'changing.app.localhost';
    world.site(changing);
    const jar = createCookieJar();
    const code = await world.handOff((await world.navigate(changing, '/', jar)).headers.location);
    world.site(changing, { passport: { connectorId: 'scl_b' } });
    expect((await world.navigate(changing, world.finishPath(code), jar)).status).toBe(403);
  });

  test.each([
    '//evil.example',
    '///evil.example/a?b=//c',
    '/@evil.example',
    '/%2f%2fevil.example',
    '/?next=//evil',
  ])('leads to an address on this host whatever the path was (%s, advisory-19)', async (path) => {
    const jar = createCookieJar();
    const start = await world.navigate(host, path, jar);
    const code = await world.handOff(start.headers.location);
    const finished = await world.navigate(host, world.finishPath(code), jar);
    const location = finished.headers.location ?? '';
    expect(location).toBe(`${world.originOf(host)}${path}`);
    expect(new URL(location).origin).toBe(world.originOf(host));
  });
});

describe('over https', () => {
  test('every cookie that decides is a __Host- cookie, and all are Secure, HttpOnly and of this host', async () => {
    const secure = await startGatewayWorld({ https: true });
    const jar = createCookieJar();
    const start = await secure.navigate(host, '/', jar);
    const code = await secure.handOff(start.headers.location);
    const finished = await secure.navigate(host, secure.finishPath(code), jar);
    expect(finished.headers.location).toBe(`https://${host}/`);
    const lines = [...(start.headers['set-cookie'] ?? []), ...(finished.headers['set-cookie'] ?? [])];
    expect(lines.map((line) => line.split('=')[0])).toEqual([
      '__Host-_vercel_passport_binding',
      expect.stringMatching(/^__Host-_vercel_passport_binding_[\w-]{8}$/),
      '_vercel_passport',
      '__Host-_vercel_passport_companion',
      expect.stringMatching(/^__Host-_vercel_passport_binding_[\w-]{8}$/),
    ]);
    for (const line of lines) {
      expect(line).toMatch(/; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=\d+$/);
    }
    expect((await secure.navigate(host, '/', jar)).status).toBe(200);
    // A sibling can set the name without the prefix: it counts for nothing.
    const tossed = createCookieJar();
    for (const { name, value } of jar.list(host))
      tossed.set({ name: name.replace('__Host-', ''), value, host });
    expect((await secure.navigate(host, '/', tossed)).status).toBe(303);
    await secure.close();
  });
});
