import { formatDecisionProbe } from '@tessera/protocol';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DatabaseUnavailable } from '../../packages/server/src/errors/index.ts';
import { createCookieJar, type CookieJar } from '../harness/cookie-jar.ts';
import { send, type Answer } from '../harness/send.ts';
import { navigation, startGatewayWorld, type GatewayWorld } from './gateway-world.ts';

const credential = 'a-credential-of-32-characters-or-more';
const host = 'a.app.localhost';
const dialects = ['nginx', 'haproxy', 'forward-auth', 'envoy'] as const;
type Dialect = (typeof dialects)[number];

/** Every header of ours that a proxy copies to the upstream: in each answer, empty where it says nothing. */
const alwaysThere = [
  'cookie',
  'x-vercel-oidc-passport-token',
  'x-vercel-oidc-token',
  'x-vercel-error',
  'x-vercel-id',
  'x-vercel-decision',
  'x-vercel-decision-credential',
  'x-vercel-protection-bypass',
  'x-vercel-set-bypass-cookie',
  'x-vercel-trusted-oidc-idp-token',
];

let world: GatewayWorld;
let port: number;
let jar: CookieJar;

beforeAll(async () => {
  world = await startGatewayWorld();
  port = await world.listenForDecisions([
    { name: 'edge', credential, hosts: [host, '*.wild.localhost', 'nobody.app.localhost'] },
    { name: 'other', credential: `${credential}-2`, hosts: ['b.app.localhost'] },
  ]);
  world.site('deep.in.wild.localhost');
  world.site('wild.localhost');
  jar = await world.signIn(host);
});
afterAll(() => world.close());
beforeEach(() => world.breakDatabase(undefined));

type Visit = {
  method?: string;
  at?: string;
  path?: string;
  proto?: string;
  address?: string;
  headers?: readonly string[];
};

/** Asks as the front proxies of a dialect do. */
async function ask(
  dialect: Dialect,
  visit: Visit = {},
  {
    without = '',
    more = [],
    secret = credential,
  }: { without?: string; more?: readonly string[]; secret?: string | null } = {},
): Promise<Answer> {
  const { method = 'GET', at = world.hostHeader(host), path = '/', address = '203.0.113.7' } = visit;
  const { proto = 'http', headers = [] } = visit;
  const own = dialect === 'forward-auth' ? 'x-forwarded' : 'x-original';
  const told: string[][] =
    dialect === 'envoy'
      ? [
          ['host', at],
          [`${own}-proto`, proto],
          [`${own}-address`, address],
        ]
      : [
          [`${own}-method`, method],
          [`${own}-proto`, proto],
          [`${own}-host`, at],
          [`${own}-uri`, path],
          [`${own}-${dialect === 'forward-auth' ? 'for' : 'address'}`, address],
        ];
  const sent = [...told, ...(secret === null ? [] : [['x-vercel-decision-credential', secret]])];
  return send(
    `http://127.0.0.1:${port}${dialect === 'envoy' ? `/decide/envoy${path}` : `/decide/${dialect}`}`,
    {
      method: dialect === 'envoy' ? method : 'GET',
      headers: [...sent.filter(([name]) => name !== without).flat(), ...headers, ...more],
    },
  );
}

const cookies = () => ['cookie', jar.header(new URL(world.originOf(host))) ?? ''];
const asBrowser = Object.entries(navigation).flat();

function expectClosed(answer: Answer, what?: string): void {
  expect(answer.status, what).toBeGreaterThanOrEqual(300);
  for (const name of alwaysThere) expect(answer.headers, what).toHaveProperty(name);
  expect(answer.headers['x-vercel-oidc-passport-token'], what).toBe('');
  expect(answer.headers['x-vercel-oidc-token'], what).toBe('');
  expect(answer.headers['x-vercel-decision'], what).not.toBe('pass');
}

describe.each(dialects)('the decision listener in the dialect %s', (dialect) => {
  test('lets a visitor with a session pass, with every header of ours', async () => {
    const answer = await ask(dialect, { headers: [...cookies(), 'Cookie', 'theirs=1'] });
    expect(answer.status).toBe(200);
    expect(answer.text).toBe('');
    for (const name of alwaysThere) expect(answer.headers).toHaveProperty(name);
    expect(answer.headers['x-vercel-decision']).toBe('pass');
    expect(answer.headers['x-vercel-oidc-passport-token']).toMatch(/^eyJ/);
    expect(answer.headers['x-vercel-oidc-token']).toMatch(/^eyJ/);
    expect(answer.headers.cookie).toBe('theirs=1');
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  test('sends a browser without a session to sign in, and a program away', async () => {
    const browser = await ask(dialect, { headers: asBrowser, path: '/page?x=1' });
    expectClosed(browser);
    const nginx = dialect === 'nginx';
    const location = String(browser.headers[nginx ? 'x-vercel-decision-location' : 'location']);
    expect(browser.status).toBe(nginx ? 401 : 303);
    expect(location).toMatch(/\/connect\/start\?code=/);
    const given = nginx
      ? [1, 2].map((number) => String(browser.headers[`x-vercel-decision-cookie-${number}`]))
      : (browser.headers['set-cookie'] ?? []);
    expect(given).toEqual([expect.stringContaining('_binding='), expect.stringContaining('_binding_')]);

    // The way goes on at the deployment's host itself, with the cookies that were given here.
    const browserJar = createCookieJar();
    browserJar.store(new URL(world.originOf(host)), given);
    const code = await world.handOff(location);
    const finished = await world.navigate(host, world.finishPath(code), browserJar);
    expect(finished.headers.location).toBe(`${world.originOf(host)}/page?x=1`);

    const program = await ask(dialect, { headers: ['accept', 'application/json'] });
    expectClosed(program);
    expect(program.status).toBe(401);
    expect(program.headers['x-vercel-error']).toBe('SIGN_IN_REQUIRED');
    expect(program.headers['x-vercel-decision-location'] ?? '').toBe('');
  });

  test.each([
    ['no credential', null, []],
    ['an empty one', '', []],
    ['another', `${credential}x`, []],
    ['two', credential, ['x-vercel-decision-credential', credential]],
    ['one in another place', null, ['authorization', `Bearer ${credential}`]],
    ['one in another spelling', null, ['x_vercel_decision_credential', credential]],
  ])('answers %s with 401 and no token', async (_title, secret, more) => {
    const answer = await ask(dialect, { headers: cookies() }, { secret, more });
    expectClosed(answer);
    expect(answer.status).toBe(401);
    expect(answer.headers['x-vercel-error']).toBe('DECISION_CREDENTIAL_REFUSED');
    expect(answer.text).not.toContain(credential);
  });

  test.each([
    ['b.app.localhost', credential],
    ['open.app.localhost', credential],
    ['wild.localhost', credential],
    ['xwild.localhost', credential],
    [host, `${credential}-2`],
  ])('answers with 401 about %s, which is not bound to the proxy', async (at, secret) => {
    const answer = await ask(dialect, { at: world.hostHeader(at), headers: cookies() }, { secret });
    expectClosed(answer);
    expect(answer.status).toBe(401);
    expect(answer.headers['x-vercel-error']).toBe('DECISION_HOST_REFUSED');
  });

  test('refuses an unknown host, and reads one host however it is spelled (advisory-15, advisory-17)', async () => {
    const unknown = await ask(dialect, { at: world.hostHeader('nobody.app.localhost') });
    expectClosed(unknown);
    expect(unknown.headers['x-vercel-error']).toBe('DEPLOYMENT_NOT_FOUND');
    expect(unknown.status).toBe(dialect === 'nginx' ? 403 : 404);
    for (const at of [world.hostHeader(host).toUpperCase(), host, `${host}.`]) {
      expect((await ask(dialect, { at, headers: cookies() })).status, at).toBe(200);
    }
    for (const at of [
      `${host}:1`,
      'a b',
      'ä.app.localhost',
      `${host}, b.app.localhost`,
      `x@${host}`,
      '[::1]',
    ]) {
      expectClosed(await ask(dialect, { at, headers: cookies() }).catch(() => refusedByClient), at);
    }
  });

  test('refuses a request of which a part is missing, there twice, or odd', async () => {
    const own = dialect === 'forward-auth' ? 'x-forwarded' : 'x-original';
    const parts =
      dialect === 'envoy'
        ? ['proto', 'address']
        : ['method', 'proto', 'host', 'uri', dialect === 'forward-auth' ? 'for' : 'address'];
    for (const part of parts) {
      const name = `${own}-${part}`;
      expectClosed(await ask(dialect, { headers: cookies() }, { without: name }), `without ${name}`);
      for (const value of ['', 'GET', host]) {
        const twice = await ask(dialect, { headers: cookies() }, { more: [name.toUpperCase(), value] });
        expectClosed(twice, `${name} twice`);
      }
    }
    for (const odd of [
      // Node's client writes methods in capitals; Envoy's own is the request's.
      ...(dialect === 'envoy' ? [] : [{ method: 'get' }]),
      { method: 'TRACE' },
      { method: 'CONNECT' },
      // Node's client knows no such method.
      ...(dialect === 'envoy' ? [] : [{ method: 'PRI' }]),
      { proto: 'https' },
      { proto: 'http, https' },
      { address: 'unix:' },
      { address: '203.0.113.7, nobody' },
      { path: '//..//x' },
      { path: '/a/%2e%2e/b' },
      { path: '/a%00' },
      { path: '/a\\b' },
      { path: '/%zz' },
      { path: 'http://a.app.localhost/' },
    ]) {
      // A client normalises some of these in the address of its own call.
      if (dialect === 'envoy' && 'path' in odd && !/%00|%zz/.test(odd.path ?? '')) continue;
      const answer = await ask(dialect, { ...odd, headers: cookies() }).catch(() => refusedByClient);
      expectClosed(answer, JSON.stringify(odd));
    }
  });

  test('takes nothing from headers that are spelled otherwise (advisory-02, advisory-08)', async () => {
    const others = [
      'x_forwarded_proto',
      'X-Forwarded_Host',
      'x_forwarded_uri',
      'X_Original_Uri',
      'x.original.host',
    ];
    const values = ['https', 'open.app.localhost', world.wire.signOutPath, '/a/../b'];
    for (const name of others) {
      for (const value of values) {
        const answer = await ask(dialect, { headers: [...cookies(), name, value] });
        expect(answer.status, `${name}: ${value}`).toBe(200);
        expectClosed(await ask(dialect, { headers: [name, value] }), `${name}: ${value}`);
      }
    }
  });

  test('never takes a page of ours for a pass', async () => {
    for (const path of [world.wire.signOutPath, world.wire.finishPath, '/.well-known/vercel/passport/x']) {
      const answer = await ask(dialect, { path, headers: [...cookies(), ...asBrowser] });
      expectClosed(answer, path);
      expect(answer.status).toBe(403);
    }
  });

  test('refuses when the database does not answer (advisory-25, security-94)', async () => {
    for (const failure of [new DatabaseUnavailable('down'), new Error('anything else')]) {
      world.breakDatabase(failure);
      const answer = await ask(dialect, { headers: cookies() });
      expectClosed(answer);
      expect(answer.status).toBe(dialect === 'nginx' ? 403 : 503);
      const told = dialect === 'nginx' ? answer.headers['x-vercel-decision-status'] : String(answer.status);
      expect(told).toBe('503');
      expect(answer.text).not.toContain('anything else');
    }
  });

  test('tells a WebSocket of another site from one of this host (security-93)', async () => {
    const socket = ['sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ==', ...cookies()];
    const own = await ask(dialect, { headers: [...socket, 'origin', world.originOf(host)] });
    expect(own.status).toBe(200);
    const foreign = await ask(dialect, { headers: [...socket, 'origin', 'https://evil.example'] });
    expectClosed(foreign);
    expect(foreign.headers['x-vercel-error']).toBe('UPGRADE_REFUSED');
  });
});

const refusedByClient = { status: 400, headers: {}, text: '' } as unknown as Answer;
refusedByClient.headers = Object.fromEntries(alwaysThere.map((name) => [name, '']));

test('a preflight that passes by the OPTIONS allowlist names no other method', async () => {
  world.site('preflight.wild.localhost', {
    protection: { optionsAllowlist: { paths: [{ value: '/api' }] } },
  });
  const at = world.hostHeader('preflight.wild.localhost');
  for (const dialect of dialects) {
    const options = { method: 'OPTIONS', at, path: '/api/x' };
    expect((await ask(dialect, options)).status, dialect).toBe(200);
    expectClosed(await ask(dialect, { ...options, headers: ['X_HTTP_Method.Override', 'DELETE'] }), dialect);
    expectClosed(await ask(dialect, { ...options, path: '/apiary' }), dialect);
  }
});

test('secrets that let pass are told to no upstream, and count where they belong alone (advisory-extra: secrets, advisory-extra: bypass of another host)', async () => {
  const by = { actor: 'tok_1', userId: 'usr_1', teamId: 'team_a', reference: 'req_test' };
  const bypassHeader = 'x-vercel-protection-bypass';
  const [first, second] = ['one.wild.localhost', 'two.wild.localhost'];
  world.site(first, { projectId: 'prj_one' });
  world.site(second, { projectId: 'prj_two' });
  const { secret } = await world.bypasses.automation.generate('prj_one', {}, by);
  const link = await world.bypasses.shareLinks.generate({ host: first, projectId: 'prj_one' }, undefined, by);
  const shared = `/page?a=1&_vercel_share=${link.secret}`;
  const told = (answer: Answer) => JSON.stringify([answer.headers, answer.text]);
  for (const dialect of dialects) {
    const at = world.hostHeader(first);
    const other = world.hostHeader(second);
    const passed = await ask(dialect, { at, method: 'POST', headers: [bypassHeader, secret] });
    expect([dialect, passed.status]).toEqual([dialect, 200]);
    expect(passed.headers['x-vercel-oidc-passport-token']).toBe('');
    expect(passed.headers[bypassHeader]).toBe('');
    expect(told(passed)).not.toContain(secret);
    expectClosed(await ask(dialect, { at: other, headers: [bypassHeader, secret] }), dialect);

    // A browser is led to the address without the secret, with a cookie of this host alone.
    const led = await ask(dialect, { at, path: shared, headers: asBrowser });
    expectClosed(led, dialect);
    const nginx = dialect === 'nginx';
    expect(led.headers[nginx ? 'x-vercel-decision-location' : 'location']).toBe(
      `${world.originOf(first)}/page?a=1`,
    );
    expect(told(led)).not.toContain(link.secret);
    const [cookie = ''] = nginx
      ? [String(led.headers['x-vercel-decision-cookie-1'])]
      : (led.headers['set-cookie'] ?? []);
    const pair = ['cookie', `theirs=1; ${cookie.split(';', 1)[0]}`];
    const visit = await ask(dialect, { at, headers: pair });
    expect([dialect, visit.status, visit.headers.cookie]).toEqual([dialect, 200, 'theirs=1']);
    expectClosed(await ask(dialect, { at: other, headers: pair }), dialect);

    // No proxy takes a secret out of an address: what cannot be led on is refused.
    for (const query of [`_vercel_share=${link.secret}`, `${bypassHeader}=${secret}`]) {
      const posted = await ask(dialect, { at, method: 'POST', path: `/page?${query}` });
      expectClosed(posted, `${dialect} ${query}`);
      expect(posted.headers['x-vercel-error']).toBe('DECISION_QUERY_REFUSED');
      expect(told(posted)).not.toContain(query);
    }
  }
});

test('the addresses that may come without signing in are those that the proxy tells', async () => {
  const addresses = [{ value: '203.0.113.0/24' }];
  world.site('office.wild.localhost', {
    passport: null,
    protection: { trustedIps: { deploymentType: 'all', addresses, protectionMode: 'additional' } },
  });
  const at = world.hostHeader('office.wild.localhost');
  for (const dialect of dialects) {
    expect((await ask(dialect, { at })).status, dialect).toBe(200);
    const foreign = await ask(dialect, {
      at,
      address: '198.51.100.1',
      headers: ['x-real-ip', '203.0.113.7'],
    });
    expectClosed(foreign, dialect);
    expect(foreign.headers['x-vercel-error']).toBe('DEPLOYMENT_NOT_FOUND');
  }
  // Of a list, the last is the one that the proxy itself saw.
  const listed = await ask('forward-auth', { at, address: '203.0.113.7, 198.51.100.1' });
  expectClosed(listed);
});

test('other addresses on the decision listener are nothing', async () => {
  for (const path of [
    '/',
    '/decide',
    '/decide/',
    '/decide/traefik',
    '/decide/envoy',
    '/decide/nginx/',
    '/livez',
  ]) {
    const answer = await send(`http://127.0.0.1:${port}${path}`, {
      headers: { 'x-vercel-decision-credential': credential, host: world.hostHeader(host) },
    });
    expect(answer.status, path).toBe(404);
  }
});

test('Envoy is told which names of ours in other spellings it has to take off', async () => {
  const odd = ['X_Vercel_Oidc_Passport_Token', 'x!vercel.oidc.token', 'X-Vercel-Made-Up', 'x-vercel-id'];
  const answer = await ask('envoy', { headers: [...cookies(), ...odd.flatMap((name) => [name, 'forged'])] });
  expect(answer.status).toBe(200);
  expect(String(answer.headers['x-envoy-auth-headers-to-remove']).split(',').toSorted()).toEqual([
    'x!vercel.oidc.token',
    'x-vercel-id',
    'x-vercel-made-up',
    'x_vercel_oidc_passport_token',
  ]);
});

test('a front proxy that hands on an upgrade is answered, and nothing is upgraded', async () => {
  const answer = await ask('forward-auth', {
    headers: [...cookies(), 'Connection', 'Upgrade', 'Upgrade', 'websocket'],
  });
  expect(answer.status).toBe(200);
  expect(answer.headers['x-vercel-decision']).toBe('pass');
});

test('the listener hangs up on a fresh probe of who knows the credential, and on no visitor', async () => {
  const probe = (value: string) => ask('haproxy', { headers: ['x-vercel-decision-probe', value] });
  const now = world.clock.now();
  for (const value of [
    'hang-up',
    'hang-up.0.',
    await formatDecisionProbe(`${credential}-2`, now),
    await formatDecisionProbe(credential, now - 180_000),
    await formatDecisionProbe(credential, now + 180_000),
    (await formatDecisionProbe(credential, now)).slice(0, -1),
  ]) {
    expect((await probe(value)).status, value).toBe(401);
  }
  await expect(probe(await formatDecisionProbe(credential, now))).rejects.toThrow('socket hang up');
});
