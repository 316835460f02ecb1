import { decodeJwt } from 'jose';
import { beforeAll, expect, test } from 'vitest';
import {
  createDevice,
  createDeviceApp,
  deviceGrantType,
  enterUserCode,
  type DeviceAuthorization,
} from '../harness/device.ts';
import { expectPage, setUpPerson, type Person } from '../harness/front-door.ts';
import { findForm, findText, textOf } from '../harness/html.ts';
import { send, sendForm, type Answer } from '../harness/send.ts';
import type { ConfidentialApp, TokenAnswer } from '../harness/sign-in-world.ts';
import { createAuthorizationRequest } from '../harness/sign-in.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';
import { describeSignIn } from './on-both-databases.ts';

describeSignIn('the device flow', (place) => {
  let app: ConfidentialApp;
  let stranger: Person;
  beforeAll(async () => {
    const { call, team } = place.world;
    app = await createDeviceApp(call, team.id, 'Television');
    const { invitation } = await call('members.add', {
      params: { id: team.id },
      body: { email: 'bob@acme.example', role: 'viewer' },
    });
    if (invitation === null) throw new Error('no invitation was made');
    stranger = await setUpPerson(invitation.url, {
      email: 'bob@acme.example',
      name: 'Bob',
      password: 'another long passphrase, 6 words',
    });
  });

  const device = () => createDevice(place.tessera.urls.api, app);
  const address = () => `${place.tessera.urls.origin}/oauth/device`;
  const errorOf = (answer: Answer) => (answer.json() as { error: string }).error;
  const enter = (visitor: Visitor, code: string, person: Person = place.world.admin) =>
    enterUserCode(visitor, address(), person, code);
  const decide = async (visitor: Visitor, page: Answer, button: 'consent-allow' | 'consent-cancel') =>
    visitor.follow(await visitor.submit(page, 'consent', {}, button));

  test('a device gets tokens after somebody has entered its code and allowed it, and only once', async () => {
    const visitor = createVisitor();
    const answer = await device().authorize({ scope: 'openid email offline_access unknown' });
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['access-control-allow-origin']).toBe('*');
    const begun = answer.json() as DeviceAuthorization;
    expect(begun).toEqual({
      device_code: expect.stringMatching(/^[\w-]{43}$/) as string,
      user_code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/) as string,
      verification_uri: address(),
      verification_uri_complete: `${address()}?user_code=${begun.user_code}`,
      expires_in: 600,
      interval: 5,
    });
    const first = await device().ask(begun.device_code);
    expect([first.status, errorOf(first)]).toEqual([400, 'authorization_pending']);

    const page = await enter(visitor, ` ${begun.user_code.toLowerCase().replace('-', ' ')} `);
    expect(textOf(page.text)).toContain('Television');
    expect(textOf(page.text)).toContain('Linux');
    expect(textOf(page.text)).toContain('127.0.0.1');
    expect(page.text).toContain('data-scope="email"');
    expect(page.text).not.toContain('data-scope="profile"');
    const done = await decide(visitor, page, 'consent-allow');
    expect(textOf(done.text)).toContain('The device is signed in');

    const granted = await device().ask(begun.device_code);
    expect(granted.status).toBe(200);
    const tokens = granted.json() as TokenAnswer;
    expect(tokens).toMatchObject({ token_type: 'Bearer', scope: 'openid email offline_access' });
    expect(decodeJwt(tokens.id_token)).toMatchObject({
      aud: app.clientId,
      amr: ['pwd'],
      email: 'ada@acme.example',
    });
    const userinfo = await send(`${place.tessera.urls.api}/login/oauth/userinfo`, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    expect(userinfo.json()).toMatchObject({ email: 'ada@acme.example' });

    const again = await device().ask(begun.device_code);
    expect([again.status, errorOf(again)]).toEqual([400, 'invalid_grant']);
    // A device that asks twice is no thief: its tokens stay.
    const still = await send(`${place.tessera.urls.api}/login/oauth/userinfo`, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    expect(still.status).toBe(200);
  });

  test('a device that asks too often waits longer each time', async () => {
    const { device_code: code } = await device().begin();
    expect(errorOf(await device().ask(code))).toBe('authorization_pending');
    expect(errorOf(await device().ask(code))).toBe('slow_down');
    place.tessera.advance(5_500);
    expect(errorOf(await device().ask(code))).toBe('slow_down');
    place.tessera.advance(15_500);
    expect(errorOf(await device().ask(code))).toBe('authorization_pending');
  });

  test('a refusal reaches the device', async () => {
    const visitor = createVisitor();
    const begun = await device().begin();
    const done = await decide(visitor, await enter(visitor, begun.user_code), 'consent-cancel');
    expect(textOf(done.text)).toContain('Nothing was allowed');
    expect(errorOf(await device().ask(begun.device_code))).toBe('access_denied');
    // Its code is over.
    expect((await enter(visitor, begun.user_code)).status).toBe(422);
  });

  test('a code lasts ten minutes, approved or not (security-85)', async () => {
    const visitor = createVisitor();
    const begun = await device().begin();
    const approved = await device().begin();
    const page = await enter(visitor, begun.user_code);
    await decide(visitor, await enter(visitor, approved.user_code), 'consent-allow');
    place.tessera.advance(601_000);
    expect(errorOf(await device().ask(begun.device_code))).toBe('expired_token');
    expect(errorOf(await device().ask(approved.device_code))).toBe('expired_token');
    expect((await visitor.submit(page, 'consent', {}, 'consent-allow')).status).toBe(404);
    expect((await enter(visitor, begun.user_code)).status).toBe(422);
  });

  test('what was allowed before all tokens of the app were ended, its devices do not get', async () => {
    const visitor = createVisitor();
    const [allowed, waiting] = [await device().begin(), await device().begin()];
    await decide(visitor, await enter(visitor, allowed.user_code), 'consent-allow');
    await place.world.call('apps.invalidate-tokens', {
      params: { id: app.clientId },
      query: { teamId: place.world.team.id },
    });
    expect(errorOf(await device().ask(allowed.device_code))).toBe('expired_token');
    // Who decides after it, decides anew.
    await decide(visitor, await enter(visitor, waiting.user_code), 'consent-allow');
    expect((await device().ask(waiting.device_code)).status).toBe(200);
  });

  test('security-85: the login that entered a code alone decides, whoever learns of it', async () => {
    const owner = createVisitor();
    const begun = await device().begin();
    const page = await enter(owner, begun.user_code);
    // Another person, and the same person at another browser.
    for (const [visitor, person] of [
      [stranger.visitor, stranger],
      [createVisitor(), place.world.admin],
    ] as const) {
      const entered = await enter(visitor, begun.user_code, person);
      expect(entered.status).toBe(403);
      expect(findText(entered.text, 'error-code')).toContain('device_request_elsewhere');
      const opened = await visitor.visit(page.url);
      expect(opened.status).toBe(403);
      const form = findForm(page.text, 'consent', page.url);
      const forced = await sendForm(
        form.action.href,
        { ...form.fields, decision: 'allow' },
        {
          cookie: visitor.cookies.header(page.url) ?? '',
          origin: page.url.origin,
          'sec-fetch-site': 'same-origin',
        },
      );
      expect(forced.status).toBe(403);
    }
    expect(errorOf(await device().ask(begun.device_code))).toBe('authorization_pending');
    await decide(owner, page, 'consent-allow');
    expect((await device().ask(begun.device_code)).status).toBe(200);
  });

  test('security-85: five wrong codes, and no more for ten minutes', async () => {
    const visitor = createVisitor();
    place.tessera.advance(601_000);
    for (let wrong = 0; wrong < 5; wrong += 1) {
      const page = await enter(visitor, 'BBBB-BBBB', stranger);
      expect(page.status).toBe(422);
      expect(textOf(page.text)).toContain('No device is waiting for this code');
    }
    const begun = await device().begin();
    const refused = await enter(visitor, begun.user_code, stranger);
    expect(refused.status).toBe(429);
    // Another browser of the same person is no way round it.
    expect((await enter(createVisitor(), begun.user_code, stranger)).status).toBe(429);
    place.tessera.advance(601_000);
    const later = await device().begin();
    expect((await enter(visitor, later.user_code, stranger)).status).toBe(200);
  });

  test('a code in the address is filled in and still has to be confirmed, after the login', async () => {
    const begun = await device().begin();
    const visitor = createVisitor();
    const login = await visitor.visit(begun.verification_uri_complete);
    expect(login.text).toContain('id="login"');
    const { admin } = place.world;
    const { email, password } = admin;
    const page = await expectPage(
      visitor,
      await visitor.submit(login, 'login', { email, password }, 'login-submit'),
    );
    expect(findForm(page.text, 'device', page.url).fields['user_code']).toBe(begun.user_code);
    expect(errorOf(await device().ask(begun.device_code))).toBe('authorization_pending');
    const confirm = await visitor.follow(await visitor.submit(page, 'device', {}, 'device-continue'));
    expect(confirm.text).toContain('id="consent-allow"');
  });

  test('it is asked every time, and what was allowed there is remembered nowhere else', async () => {
    const visitor = createVisitor();
    for (let time = 0; time < 2; time += 1) {
      const begun = await device().begin();
      const page = await enter(visitor, begun.user_code);
      expect(page.text).toContain('id="consent-allow"');
      await decide(visitor, page, 'consent-allow');
    }
    const { url } = createAuthorizationRequest(place.tessera.urls.origin, app, { prompt: 'none' });
    const answer = await visitor.open(url);
    expect(answer.location().searchParams.get('error')).toBe('consent_required');
  });

  test('it is off unless the app has it on, and a code belongs to one app (security-85)', async () => {
    const { world, tessera } = place;
    const other = createDevice(tessera.urls.api, world.app);
    expect(errorOf(await other.authorize())).toBe('unauthorized_client');
    const { device_code: code } = await device().begin();
    expect(errorOf(await other.ask(code))).toBe('unauthorized_client');
    const second = createDevice(
      tessera.urls.api,
      await createDeviceApp(world.call, world.team.id, `Radio ${Math.random()}`),
    );
    expect(errorOf(await second.ask(code))).toBe('invalid_grant');
    expect(errorOf(await device().ask(code))).toBe('authorization_pending');
    expect(errorOf(await device().ask('x'.repeat(43)))).toBe('invalid_grant');
    const withoutSecret = await sendForm(`${tessera.urls.api}/login/oauth/device-authorization`, {
      client_id: app.clientId,
    });
    expect(errorOf(withoutSecret)).toBe('invalid_client');
  });

  test('an app of a team alone lets nobody else in, and the device is told', async () => {
    const { call } = place.world;
    const closed = await call('teams.create', { body: { slug: `closed-${Date.now()}`, name: 'Closed' } });
    const theirs = await createDeviceApp(call, closed.id, `Closed television ${Date.now()}`);
    await call('apps.update', {
      params: { id: theirs.clientId },
      query: { teamId: closed.id },
      body: { signInAccess: 'team' },
    });
    const closedDevice = createDevice(place.tessera.urls.api, theirs);
    const begun = await closedDevice.begin();
    const page = await enter(stranger.visitor, begun.user_code, stranger);
    expect(page.status).toBe(403);
    expect(findText(page.text, 'error-code')).toContain('device_access_denied');
    expect(errorOf(await closedDevice.ask(begun.device_code))).toBe('access_denied');
  });

  test('a logout between the approval and the next question leaves the device with nothing', async () => {
    const visitor = createVisitor();
    const begun = await device().begin();
    await decide(visitor, await enter(visitor, begun.user_code), 'consent-allow');
    await visitor.submit(await visitor.visit(`${place.tessera.urls.origin}/account`), 'sign-out');
    expect(errorOf(await device().ask(begun.device_code))).toBe('access_denied');
  });

  test('discovery says so', async () => {
    const { origin, api } = place.tessera.urls;
    const document = (await send(`${origin}/.well-known/openid-configuration`)).json() as {
      device_authorization_endpoint: string;
      grant_types_supported: string[];
    };
    expect(document.device_authorization_endpoint).toBe(`${api}/login/oauth/device-authorization`);
    expect(document.grant_types_supported).toContain(deviceGrantType);
  });
});
