import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { send, sendForm, type Answer } from '../harness/send.ts';
import { spawnTessera, type SpawnedTessera } from '../harness/spawn-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor } from '../harness/visitor.ts';
import { startForgingProvider, type ForgingProvider } from '../passport/forging-provider.ts';
import { race, roundsOf } from './race.ts';

const parallel = 12;
const rounds = roundsOf({ short: 3, long: 60 });
const limitMs = roundsOf({ short: 180_000, long: 3_600_000 });

/** A visitor whom the provider has named, and who is about to come back with the code of it. */
type Arriving = { url: URL; enter(port?: number): Promise<Answer> };

describe.each(databaseKinds)('sign-ins on their way, on %s', { timeout: limitMs }, (kind) => {
  let tessera: SpawnedTessera;
  let provider: ForgingProvider;
  let world: PassportWorld;
  const clientId = 'client-1';
  const query = () => ({ teamId: world.team.id });

  beforeAll(async () => {
    tessera = await spawnTessera(kind, { processes: 2 });
    provider = await startForgingProvider();
    const connector = { issuer: provider.issuer, clientId, clientSecret: 'a secret' };
    world = await createPassportWorld(tessera.urls, tessera.setUpLink, connector);
  });
  afterAll(async () => {
    await world?.close();
    await provider?.close();
    await tessera?.close();
  });

  async function arrive(sub = 'visitor|1', sid?: string, site = world.deployment.url): Promise<Arriving> {
    provider.forge.claims = (claims) => ({ ...claims, sub, ...(sid === undefined ? {} : { sid }) });
    provider.forge.userinfo = (body) => ({ status: 200, body: { ...body, sub } });
    const visitor = createVisitor();
    const leaving = await visitor.visit(`${site}/`, (url) => url.href.startsWith(provider.issuer));
    const { state, code } = provider.remember(leaving.location().href);
    const callback = new URL(`${tessera.urls.connect}/callback`);
    callback.search = new URLSearchParams({ code, state, iss: provider.issuer }).toString();
    const handedOver = await visitor.visit(callback, (url) => url.pathname.endsWith('/passport/finish'));
    const url = handedOver.location();
    const headers = {
      accept: 'text/html',
      'sec-fetch-mode': 'navigate',
      cookie: visitor.cookies.header(url) ?? '',
    };
    return { url, enter: (port) => send(url, { headers, ...(port === undefined ? {} : { port }) }) };
  }

  const isIn = ({ headers }: Answer) =>
    (headers['set-cookie'] ?? []).some((cookie) => /^_vercel_passport=./.test(cookie));
  const end = (filter: { all?: 'true'; projectId?: string; connectorId?: string; externalSub?: string }) =>
    world.call('passport-sessions.end-many', { query: { ...query(), ...filter } });
  const listed = async () => (await world.call('passport-sessions.list', { query: query() })).sessions;
  async function logOut(claims: Record<string, unknown>): Promise<void> {
    const now = Math.floor(Date.now() / 1000);
    const token = await new SignJWT({
      iss: provider.issuer,
      aud: clientId,
      iat: now,
      exp: now + 120,
      jti: crypto.randomUUID(),
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      ...claims,
    })
      .setProtectedHeader({ alg: 'ES256', kid: 'key-1', typ: 'logout+jwt' })
      .sign(provider.key);
    const url = `${tessera.urls.connect}/backchannel-logout/${world.connectorId}`;
    expect((await sendForm(url, { logout_token: token })).status).toBe(200);
  }

  const ends: [string, () => Promise<unknown>][] = [
    ['of the team', () => end({ all: 'true' })],
    ['of the project', () => end({ projectId: world.deployment.projectId })],
    ['of the connector', () => end({ connectorId: world.connectorId })],
    ['of the person', () => end({ externalSub: 'visitor|1' })],
    ['of the person, by the provider', () => logOut({ sub: 'visitor|1' })],
    ["of the provider's session", () => logOut({ sid: 'sid-1' })],
    ["of the provider's session and its person", () => logOut({ sub: 'visitor|1', sid: 'sid-1' })],
  ];

  test.each(ends)('end with the sessions %s, and begin again after that', async (_whose, endThem) => {
    const arriving = await arrive('visitor|1', 'sid-1');
    await endThem();
    const answer = await arriving.enter();
    expect(isIn(answer)).toBe(false);
    // To the page, from where a new sign-in begins.
    expect([answer.status, answer.location().href]).toEqual([303, `${world.deployment.url}/`]);
    expect(isIn(await arriving.enter())).toBe(false);
    expect(isIn(await (await arrive('visitor|1', 'sid-1')).enter())).toBe(true);
    await end({ all: 'true' });
  });

  test('of others go on', async () => {
    const other = await world.protect(`other-${kind}`);
    const [somebody, unnamed, elsewhere] = [
      await arrive('visitor|2', 'sid-2'),
      await arrive('visitor|2'),
      await arrive('visitor|2', 'sid-2', other.url),
    ];
    await end({ externalSub: 'visitor|1' });
    await logOut({ sub: 'visitor|1' });
    await logOut({ sid: 'sid-1' });
    await logOut({ sub: 'visitor|2', sid: 'sid-3' });
    expect(isIn(await somebody.enter())).toBe(true);
    // Its provider's session has no name here, so the person had to do.
    expect(isIn(await unnamed.enter())).toBe(false);
    await end({ projectId: world.deployment.projectId });
    expect(isIn(await elsewhere.enter())).toBe(true);
    await end({ all: 'true' });
  });

  test.each(ends)('leave nobody in when they arrive while the sessions %s end', async (_whose, endThem) => {
    for (let round = 0; round < rounds; round++) {
      const arriving: Arriving[] = [];
      for (let each = 0; each < parallel; each++) arriving.push(await arrive('visitor|1', 'sid-1'));
      const delay = (round % 4) * 2;
      const [answers] = await Promise.all([
        race(tessera.ports, parallel, (port, index) => (arriving[index] as Arriving).enter(port)),
        new Promise((resolve) => setTimeout(resolve, delay)).then(endThem),
      ]);
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 303));
      expect(await listed()).toEqual([]);
    }
  });
});
