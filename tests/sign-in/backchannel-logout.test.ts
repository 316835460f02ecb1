import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { findFreePort } from '../harness/free-port.ts';
import { startLogoutReceiver, type LogoutReceiver } from '../harness/logout-receiver.ts';
import { runTessera } from '../harness/run-tessera.ts';
import { send } from '../harness/send.ts';
import { createApp, type ConfidentialApp } from '../harness/sign-in-world.ts';
import { createAuthorizationRequest, passSignInPages } from '../harness/sign-in.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';
import { describeSignIn } from './on-both-databases.ts';

const second = 1_000;
const minute = 60 * second;

describeSignIn('back-channel logout', (place) => {
  let receiver: LogoutReceiver;
  let app: ConfidentialApp;
  beforeAll(async () => {
    receiver = await startLogoutReceiver();
    const { call, team } = place.world;
    app = await createApp(call, team.id, { name: 'Listener' });
    const body = { backchannelLogoutUri: receiver.url, idTokenSignedResponseAlg: 'ES256' } as const;
    await call('apps.update', { params: { id: app.clientId }, query: { teamId: team.id }, body });
  });
  afterAll(() => receiver.close());
  beforeEach(() => {
    receiver.received.length = 0;
    receiver.answerWith({ status: 200 });
  });

  /** Signs the administrator in to the app in this browser; the ID token's claims. */
  async function signIn(visitor: Visitor) {
    const { urls } = place.tessera;
    const request = createAuthorizationRequest(urls.origin, app);
    const answer = await passSignInPages(visitor, request.url, place.world.admin);
    const basic = Buffer.from(`${app.clientId}:${app.clientSecret}`).toString('base64');
    const tokens = await send(`${urls.api}/login/oauth/token`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${basic}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code: answer.searchParams.get('code') ?? '',
        redirect_uri: app.redirectUri,
        code_verifier: request.codeVerifier,
      }).toString(),
    });
    const { id_token: idToken } = tokens.json() as { id_token: string };
    return { idToken, ...(decodeJwt(idToken) as { sub: string; sid: string }) };
  }
  const logOut = (visitor: Visitor, idToken: string) =>
    visitor.open(`${place.tessera.urls.origin}/oauth/logout?id_token_hint=${idToken}`);
  const arrived = (count: number) =>
    vi.waitFor(() => expect(receiver.received).toHaveLength(count), 20 * second);
  const activity = async () => {
    const { call, team } = place.world;
    return call('app-activity.list', { params: { id: app.clientId }, query: { teamId: team.id } });
  };
  /** What the team sees of this session's end, when it has got this far. */
  const settled = (sid: string, outcome: 'waiting' | 'delivered' | 'failed', attempts: number) =>
    vi.waitFor(async () => {
      const found = (await activity()).activity.find((entry) => entry.sid === sid);
      expect(found).toMatchObject({ outcome, attempts });
      return found!;
    }, 20 * second);

  // The first, before any test moves the time of one node alone.
  test(
    'several nodes tell an app once',
    async () => {
      const variables = place.tessera.environment.variables;

      const ports = [await findFreePort(), await findFreePort()];
      const other = await runTessera({
        ...variables,
        TESSERA_LISTEN: `127.0.0.1:${ports[0]}`,
        TESSERA_OPERATIONS_LISTEN: `127.0.0.1:${ports[1]}`,
      });
      try {
        const visitors = await Promise.all(
          Array.from({ length: 8 }, async () => {
            const visitor = createVisitor();
            return { visitor, ...(await signIn(visitor)) };
          }),
        );
        await Promise.all(visitors.map(({ visitor, idToken }) => logOut(visitor, idToken)));
        await arrived(8);
        await delay(3 * second);
        const told = receiver.received.map(({ fields }) =>
          String(decodeJwt(fields.get('logout_token')!)['sid']),
        );
        expect(told.toSorted()).toEqual(visitors.map(({ sid }) => sid).toSorted());
      } finally {
        await other.close();
      }
    },
    60 * second,
  );

  test('security-40: the app is told with a logout token that passes for nothing else', async () => {
    const visitor = createVisitor();
    const { idToken, sub, sid } = await signIn(visitor);
    await logOut(visitor, idToken);
    await arrived(1);
    const [logout] = receiver.received;
    expect(logout).toMatchObject({ method: 'POST', path: '/backchannel-logout' });
    expect(logout!.headers['content-type']).toMatch(/^application\/x-www-form-urlencoded/);
    expect(logout!.headers['cookie']).toBeUndefined();
    expect([...logout!.fields.keys()]).toEqual(['logout_token']);
    const token = logout!.fields.get('logout_token')!;
    const keySet = (await send(`${place.tessera.urls.origin}/.well-known/jwks`)).json() as JSONWebKeySet;
    const { payload } = await jwtVerify(token, createLocalJWKSet(keySet), {
      issuer: place.tessera.urls.origin,
      audience: app.clientId,
      typ: 'logout+jwt',
      algorithms: ['ES256'],
    });
    expect(decodeProtectedHeader(token).typ).toBe('logout+jwt');
    expect(payload).toEqual({
      iss: place.tessera.urls.origin,
      aud: app.clientId,
      sub,
      sid,
      iat: expect.any(Number) as number,
      exp: payload.iat! + 120,
      jti: expect.any(String) as string,
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    });
    expect(payload).not.toHaveProperty('nonce');
    expect(await settled(sid, 'delivered', 1)).toMatchObject({
      kind: 'backchannel-logout',
      sub,
      sid,
      status: 200,
    });
    // It is no ID token of ours.
    const hinted = await visitor.open(`${place.tessera.urls.origin}/oauth/logout?id_token_hint=${token}`);
    expect(hinted.status).toBe(400);
  });

  test('however the session ends: on the account page, by another login, from another browser', async () => {
    const { origin } = place.tessera.urls;
    const left = createVisitor();
    const first = await signIn(left);
    await left.submit(await left.visit(`${origin}/account`), 'sign-out');
    await arrived(1);
    expect(decodeJwt(receiver.received[0]!.fields.get('logout_token')!)).toMatchObject({ sid: first.sid });

    const lost = createVisitor();
    const second = await signIn(lost);
    const here = createVisitor();
    await signIn(here);
    const account = await here.visit(`${origin}/account`);
    const form = {
      csrf: /name="csrf" value="([^"]+)"[^>]*>\s*<input type="hidden" name="session"/.exec(account.text)?.[1],
    };
    const answer = await send(`${origin}/account/sessions/end`, {
      method: 'POST',
      headers: {
        cookie: here.cookies.header(account.url) ?? '',
        origin,
        'sec-fetch-site': 'same-origin',
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({ csrf: form.csrf ?? '', session: second.sid }).toString(),
    });
    expect(answer.status).toBe(303);
    await arrived(2);
    expect(decodeJwt(receiver.received[1]!.fields.get('logout_token')!)).toMatchObject({ sid: second.sid });
  });

  test('an app that nobody signed in to at this session hears nothing', async () => {
    const visitor = createVisitor();
    const { origin } = place.tessera.urls;
    const request = createAuthorizationRequest(origin, place.world.app);
    const answer = await passSignInPages(visitor, request.url, place.world.admin);
    await place.world.redeem(answer.searchParams.get('code') ?? '', request);
    await visitor.submit(await visitor.visit(`${origin}/account`), 'sign-out');
    await delay(2 * second);
    expect(receiver.received).toEqual([]);
  });

  test(
    'what fails is tried again later and later, and then given up, for the team to see (security-40)',
    async () => {
      receiver.answerWith({ status: 503 });
      const visitor = createVisitor();
      const { idToken, sid } = await signIn(visitor);
      await logOut(visitor, idToken);
      const first = await settled(sid, 'waiting', 1);
      expect(first).toMatchObject({ sid, status: 503, failure: 'Received the status 503; expected 200' });
      expect(first.nextTryAt! - first.lastTriedAt!).toBe(10 * second);
      expect(receiver.received).toHaveLength(1);
      for (const [pause, attempt] of [
        [10 * second, 2],
        [minute, 3],
        [5 * minute, 4],
        [30 * minute, 5],
      ] as const) {
        place.tessera.advance(pause);
        await settled(sid, 'waiting', attempt);
      }
      place.tessera.advance(120 * minute);
      const last = await settled(sid, 'failed', 6);
      expect(last.nextTryAt).toBeNull();
      place.tessera.advance(24 * 60 * minute);
      await delay(2 * second);
      expect(receiver.received).toHaveLength(6);
      // Each try has a token of its own, which has not expired on the way.
      const tokens = receiver.received.map(({ fields }) => decodeJwt(fields.get('logout_token')!));
      expect(new Set(tokens.map(({ jti }) => jti)).size).toBe(6);
    },
    120 * second,
  );

  test('a later try that is answered well ends it, and a restart forgets nothing', async () => {
    receiver.answerWith({ status: 500 });
    const visitor = createVisitor();
    const { idToken, sid } = await signIn(visitor);
    await logOut(visitor, idToken);
    await settled(sid, 'waiting', 1);
    await place.tessera.restart();
    receiver.answerWith({ status: 204 });
    place.tessera.advance(11 * second);
    expect(await settled(sid, 'delivered', 2)).toMatchObject({ status: 204, failure: null });
  });

  test(
    'redirects are not followed, and an app that never answers is not waited for (security-40)',
    async () => {
      const elsewhere = await startLogoutReceiver();
      receiver.answerWith({ status: 307, headers: { location: elsewhere.url } });
      const visitor = createVisitor();
      const redirected = await signIn(visitor);
      await logOut(visitor, redirected.idToken);
      expect((await settled(redirected.sid, 'waiting', 1)).failure).toContain('a redirect (307)');
      expect(elsewhere.received).toEqual([]);
      await elsewhere.close();

      receiver.answerWith('silence');
      const other = createVisitor();
      const unheard = await signIn(other);
      const before = performance.now();
      const answer = await logOut(other, unheard.idToken);
      // The person waits for no app.
      expect(answer.status).toBe(303);
      expect(performance.now() - before).toBeLessThan(4_000);
      expect((await settled(unheard.sid, 'waiting', 1)).failure).toContain('no complete answer');
    },
    60 * second,
  );

  test('only the team sees it, page by page', async () => {
    const { call, team } = place.world;
    const params = { id: app.clientId };
    const page = await call('app-activity.list', { params, query: { teamId: team.id, limit: 2 } });
    expect(page.activity).toHaveLength(2);
    const next = await call('app-activity.list', {
      params,
      query: { teamId: team.id, limit: 100, cursor: page.pagination.next as never },
    });
    const all = await activity();
    expect([...page.activity, ...next.activity].slice(0, all.activity.length)).toEqual(all.activity);
    const stranger = await call('teams.create', { body: { slug: 'elsewhere', name: 'Elsewhere' } });
    await expect(call('app-activity.list', { params, query: { teamId: stranger.id } })).rejects.toMatchObject(
      {
        problem: { status: 404 },
      },
    );
  });

  test('discovery says so', async () => {
    const { origin } = place.tessera.urls;
    expect((await send(`${origin}/.well-known/openid-configuration`)).json()).toMatchObject({
      end_session_endpoint: `${origin}/oauth/logout`,
      backchannel_logout_supported: true,
      backchannel_logout_session_supported: true,
    });
  });
});
