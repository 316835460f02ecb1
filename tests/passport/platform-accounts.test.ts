import { createRemoteJWKSet, customFetch, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logIn, setUpPerson, type Person } from '../harness/front-door.ts';
import { findText } from '../harness/html.ts';
import { lookInto } from '../harness/look-into.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { send, type Answer } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';
import type { Echo } from '../harness/echo-upstream.ts';

describe.each(databaseKinds)('visitors with an account of the platform, on %s', (kind) => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let member: Person;
  let stranger: Person;
  let site: { id: string; url: string; projectId: string };
  let update: (body: object) => Promise<unknown>;

  beforeAll(async () => {
    tessera = await startTessera(kind);
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    const query = { teamId: world.team.id };
    const invite = async (teamId: string, name: string): Promise<Person> => {
      const email = `${name}@acme.example`;
      const { invitation } = await world.call('members.add', {
        params: { id: teamId },
        body: { email, role: 'viewer' },
      });
      return setUpPerson(invitation?.url ?? '', {
        email,
        name,
        password: 'a long enough passphrase, 7 words',
      });
    };
    member = await invite(world.team.id, 'Mia');
    const other = await world.call('teams.create', { body: { slug: 'others', name: 'Others' } });
    stranger = await invite(other.id, 'Sam');
    site = await world.protect('members-only');
    update = (body) => world.call('projects.update', { params: { idOrName: site.projectId }, query, body });
    await update({ passport: null, ssoProtection: { deploymentType: 'all' } });
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  const page = (path = '/') => `${site.url}${path}`;
  const isCallback = (url: URL) => url.href.startsWith(`${tessera.urls.connect}/callback?`);
  const isFinish = (url: URL) => url.pathname.endsWith('/passport/finish');
  const tokenOf = (answer: Answer) => (answer.json() as Echo).headers['x-vercel-oidc-passport-token'] ?? '';
  const sessionOf = (visitor: Visitor) =>
    visitor.cookies.list(new URL(site.url).hostname).some(({ name }) => name === '_vercel_passport');
  const sql = (text: string) => lookInto(tessera.database, text);

  test('log in once, come to the page that they asked for, and are known there by a token', async () => {
    const visitor = createVisitor();
    const login = await visitor.visit(page('/a/page?with=query'));
    expect(login.url.href).toContain(`${tessera.urls.origin}/login?return=`);
    expect(login.text).toContain(new URL(site.url).host.split(':')[0]);
    const answer = await visitor.follow(await logIn(visitor, login, member));
    expect(answer.status, answer.text).toBe(200);
    expect(answer.url.href).toBe(page('/a/page?with=query'));
    const keys = createRemoteJWKSet(new URL(`${tessera.urls.oidc}/.well-known/jwks`), {
      [customFetch]: async (url) => new Response((await send(url)).text),
    });
    const { payload } = await jwtVerify(tokenOf(answer), keys, {
      issuer: `${tessera.urls.passport}/${world.team.slug}`,
      audience: `${tessera.urls.origin}/${world.team.slug}/members-only/production`,
    });
    const users = await sql(`select "id" from "users" where "email" = 'Mia@acme.example'`);
    expect(payload).toMatchObject({
      typ: 'passport',
      connector_id: 'scl_platform',
      external_iss: tessera.urls.origin,
      external_sub: users[0]?.['id'],
      email: 'Mia@acme.example',
      name: 'Mia',
      sub: `owner:${world.team.slug}:connector:scl_platform:principal:${String(users[0]?.['id'])}`,
    });
    expect(JSON.stringify((answer.json() as Echo).headers)).not.toContain('_vercel_passport');
  });

  test('are not asked again at another host while they are logged in', async () => {
    const { visitor } = member;
    const answer = await visitor.visit(page('/straight'));
    expect(answer.status).toBe(200);
    expect(answer.url.href).toBe(page('/straight'));
  });

  test('get in as members of the team and as nobody else, and are told with a reference', async () => {
    const answer = await stranger.visitor.visit(page());
    expect(answer.status).toBe(403);
    expect(answer.url.href).toContain(tessera.urls.connect);
    expect(findText(answer.text, 'error-code')).toBe('sign_in_denied');
    expect(findText(answer.text, 'error-description')).toContain('Sam@acme.example');
    expect(findText(answer.text, 'error-mend')).toContain('member');
    expect(sessionOf(stranger.visitor)).toBe(false);
    const reference = findText(answer.text, 'error-reference') ?? '';
    const attempt = await world.call('sign-in-attempts.find', {
      query: { teamId: world.team.id, reference },
    });
    expect(attempt.outcome).toBe('failed');
    expect(attempt.steps.map(({ step, outcome }) => `${step} ${outcome}`)).toEqual([
      'start ok',
      'redirect ok',
      'callback ok',
      'authorization ok',
      'policy failed',
    ]);
  });

  test('a program gets 401, and never the login page', async () => {
    const answer = await send(page('/api'), { headers: { accept: 'application/json' } });
    expect(answer.status).toBe(401);
    expect(answer.json()).toMatchObject({ error: { code: 'SIGN_IN_REQUIRED', signInUrl: page('/api') } });
  });

  test('an answer of the login counts once, in its own browser, for its own attempt', async () => {
    const { visitor } = member;
    visitor.cookies.delete('_vercel_passport', new URL(site.url).hostname);
    const first = (await visitor.visit(page('/one'), isCallback)).location();
    const second = (await visitor.visit(page('/two'), isCallback)).location();
    // Another browser, which is even logged in as a member itself.
    const thief = createVisitor();
    await thief.follow(await logIn(thief, await thief.visit(`${tessera.urls.origin}/login`), member));
    expect((await thief.visit(first)).status).toBe(403);
    // The code of one attempt with the state of the other.
    const swapped = new URL(second);
    swapped.searchParams.set('code', first.searchParams.get('code') ?? '');
    const refused = await visitor.visit(swapped);
    expect(findText(refused.text, 'error-code')).toBe('sign_in_failed');
    const made = new URL(first);
    made.searchParams.set('code', 'x'.repeat(43));
    expect(findText((await visitor.visit(made)).text, 'error-code')).toBe('sign_in_failed');
    expect((await visitor.visit(first)).status).toBe(400);
    expect(sessionOf(visitor)).toBe(false);
  });

  test('nobody makes the login say who somebody is for an attempt that did not begin here', async () => {
    const { visitor } = member;
    for (const state of ['', 'x'.repeat(43), 'a b', '../../callback']) {
      const answer = await visitor.open(
        `${tessera.urls.origin}/login/visitor?state=${encodeURIComponent(state)}`,
      );
      expect(answer.status).toBe(400);
      expect(answer.headers.location).toBeUndefined();
    }
    // A stranger's link: the attempt is theirs, the login is the member's. It ends at the stranger's cookie.
    const eve = createVisitor();
    const start = await eve.visit(page('/eve'), (url) => url.pathname.endsWith('/login/visitor'));
    const led = await visitor.visit(start.location());
    expect(findText(led.text, 'error-code')).toBe('sign_in_other_browser');
    expect(sessionOf(eve)).toBe(false);
  });

  test('a session ends when its person leaves the team, or may not use the account any more', async () => {
    const { visitor } = member;
    expect((await visitor.visit(page())).status).toBe(200);
    const { members } = await world.call('members.list', { params: { id: world.team.id } });
    const userId = members.find(({ email }) => email === member.email)?.userId ?? '';
    const program = () =>
      send(page(), { headers: { cookie: visitor.cookies.header(new URL(page())) ?? '' } });
    expect((await program()).status).toBe(200);
    await world.call('members.remove', { params: { id: world.team.id, userId } });
    expect((await program()).status).toBe(401);
    expect((await visitor.visit(page())).status).toBe(403);
    await world.call('members.add', {
      params: { id: world.team.id },
      body: { email: member.email, role: 'viewer' },
    });
    expect((await visitor.visit(page())).status).toBe(200);
    await world.call('users.disable', { params: { idOrEmail: userId } });
    expect((await program()).status).toBe(401);
    // Logged out by that as well, so the way leads to the login page.
    expect((await visitor.visit(page())).url.pathname).toBe('/login');
    await world.call('users.enable', { params: { idOrEmail: userId } });
  });

  test('a hand-off counts for nothing once the setting is off, or Passport decides', async () => {
    for (const body of [
      { ssoProtection: null, passport: { connectorId: world.connectorId, deploymentType: 'all' } },
      { passport: { connectorId: world.connectorId, deploymentType: 'all' } },
    ]) {
      await update({ passport: null, ssoProtection: { deploymentType: 'all' } });
      const visitor = createVisitor();
      const login = await visitor.visit(page());
      const handOff = await visitor.follow(await logIn(visitor, login, member), isFinish);
      await update(body);
      const answer = await visitor.visit(handOff.location());
      expect(findText(answer.text, 'error-code')).toBe('HAND_OFF_REFUSED');
      expect(sessionOf(visitor)).toBe(false);
    }
  });

  test('Passport decides where both are set, platform accounts where Passport does not reach', async () => {
    await update({
      passport: { connectorId: world.connectorId, deploymentType: 'preview' },
      ssoProtection: { deploymentType: 'all' },
    });
    const isElsewhere = (url: URL) =>
      url.pathname.endsWith('/login/visitor') || !url.href.startsWith(tessera.urls.origin);
    const stop = async () =>
      (
        await createVisitor().visit(page(), (url) => !url.href.startsWith(site.url) && isElsewhere(url))
      ).location();
    expect((await stop()).pathname).toBe('/login/visitor');
    await update({ passport: { connectorId: world.connectorId, deploymentType: 'all' } });
    expect((await stop()).href).not.toContain('/login/visitor');
    await update({ passport: null, ssoProtection: null });
    expect((await send(page())).status).toBe(200);
  });
});
