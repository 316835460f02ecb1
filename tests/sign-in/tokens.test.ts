import { expect, test } from 'vitest';
import { send, sendForm, type Answer } from '../harness/send.ts';
import { createApp, type ConfidentialApp } from '../harness/sign-in-world.ts';
import { basic, describeSignIn } from './on-both-databases.ts';

describeSignIn('tokens', (place) => {
  const url = (path: string) => `${place.tessera.urls.api}/login/oauth/${path}`;
  const errorOf = (answer: Answer) => (answer.json() as { error: string }).error;
  const introspect = async (token: string, app: ConfidentialApp = place.world.app) =>
    (await sendForm(url('token/introspect'), { token }, basic(app))).json() as Record<string, unknown>;
  const revoke = (token: string, app: ConfidentialApp = place.world.app) =>
    sendForm(url('token/revoke'), { token }, basic(app));
  const refresh = (token: string, more: Record<string, string> = {}, app = place.world.app) =>
    sendForm(url('token'), { grant_type: 'refresh_token', refresh_token: token, ...more }, basic(app));
  const userinfo = (token: string, method = 'GET') =>
    send(url('userinfo'), { method, headers: { authorization: `Bearer ${token}` } });
  const otherApp = () => createApp(place.world.call, place.world.team.id, { name: `Other ${Math.random()}` });

  test('userinfo tells what the scopes allow, by GET and POST, and never takes a token from the address (security-38)', async () => {
    const { access_token: token, id_token: idToken } = await place.world.signIn();
    const { sub } = JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString()) as {
      sub: string;
    };
    for (const method of ['GET', 'POST']) {
      const answer = await userinfo(token, method);
      expect(answer.status).toBe(200);
      expect(answer.json()).toMatchObject({
        sub,
        email: 'ada@acme.example',
        name: 'Ada Lovelace',
        preferred_username: 'ada',
      });
    }
    expect((await sendForm(url('userinfo'), { access_token: token })).status).toBe(200);
    const inUrl = await send(url(`userinfo?access_token=${token}`));
    expect(inUrl.status).toBe(401);
    expect(inUrl.headers['www-authenticate']).toMatch(/^Bearer realm="tessera", DPoP algs="ES256 /);
    const wrong = await userinfo('vca_wrong');
    expect(wrong.status).toBe(401);
    expect(wrong.headers['www-authenticate']).toContain('error="invalid_token"');
  });

  test('introspection answers its own client, and all others alike (security-35)', async () => {
    const tokens = await place.world.signIn();
    const access = await introspect(tokens.access_token);
    expect(access).toMatchObject({
      active: true,
      client_id: place.world.app.clientId,
      token_type: 'Bearer',
      sub: expect.stringMatching(/^usr_/) as string,
      iss: place.tessera.urls.origin,
      jti: expect.any(String) as string,
      session_id: expect.stringMatching(/^sid_/) as string,
      scope: 'openid profile email offline_access',
    });
    expect(Number(access['exp']) - Number(access['iat'])).toBe(3600);
    expect(await introspect(tokens.refresh_token)).toMatchObject({ active: true });
    const other = await otherApp();
    for (const token of [tokens.access_token, tokens.refresh_token]) {
      expect(await introspect(token, other)).toEqual({ active: false });
    }
    for (const token of ['x', 'vca_unknown', tokens.id_token])
      expect(await introspect(token)).toEqual({ active: false });
    const nobody = await sendForm(url('token/introspect'), { token: tokens.access_token });
    expect(nobody.status).toBe(401);
    const wrong = await sendForm(
      url('token/introspect'),
      { token: 'x' },
      basic({ clientId: 'cl_x', clientSecret: 'y' }),
    );
    expect(wrong.status).toBe(401);
  });

  test('a token for the app itself has the app as its subject (security-27)', async () => {
    const answer = await sendForm(url('token'), { grant_type: 'client_credentials' }, basic(place.world.app));
    expect(answer.status).toBe(200);
    const { access_token: token, ...rest } = answer.json() as { access_token: string };
    expect(rest).toEqual({ token_type: 'Bearer', expires_in: 3600, scope: '' });
    expect(await introspect(token)).toMatchObject({ active: true, sub: place.world.app.clientId });
    expect((await userinfo(token)).status).toBe(403);
    const scoped = { grant_type: 'client_credentials', scope: 'openid' };
    expect(errorOf(await sendForm(url('token'), scoped, basic(place.world.app)))).toBe('invalid_scope');
    expect((await revoke(token)).status).toBe(200);
    expect(await introspect(token)).toEqual({ active: false });
  });

  test('a public app cannot act for itself (security-23), and needs no secret otherwise', async () => {
    const { call, team } = place.world;
    const { id } = await call('apps.create', {
      query: { teamId: team.id },
      body: {
        name: `Public ${Math.random()}`,
        redirectUris: ['http://127.0.0.1/cb'],
        scopes: ['openid'],
        tokenEndpointAuthMethods: ['none'],
        signInAccess: 'anyone',
      },
    });
    const answer = await sendForm(url('token'), { grant_type: 'client_credentials', client_id: id });
    expect(errorOf(answer)).toBe('unauthorized_client');
  });

  test('a refresh gives a new pair; a retry of it gives the same successor', async () => {
    const first = await place.world.signIn();
    const lost = (await refresh(first.refresh_token)).json() as typeof first;
    expect(lost.id_token).toBeTypeOf('string');
    const again = (await refresh(first.refresh_token)).json() as typeof first;
    expect(again.refresh_token).toBe(lost.refresh_token);
    expect(again.access_token).not.toBe(lost.access_token);
    expect(await introspect(lost.access_token)).toEqual({ active: false });
    expect(await introspect(first.access_token)).toMatchObject({ active: true });
    expect(await introspect(first.refresh_token)).toEqual({ active: false });
    expect((await refresh(again.refresh_token)).status).toBe(200);
  });

  test('a hundred refreshes at once all get the one successor (security-31)', async () => {
    const { refresh_token: token } = await place.world.signIn();
    const answers = await Promise.all(Array.from({ length: 100 }, () => refresh(token)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 100 }, () => 200));
    const successors = new Set(
      answers.map((answer) => (answer.json() as { refresh_token: string }).refresh_token),
    );
    expect(successors.size).toBe(1);
  });

  test('a used refresh token that comes late ends the family, at once for all that reads it (security-30)', async () => {
    const first = await place.world.signIn();
    const second = (await refresh(first.refresh_token)).json() as typeof first;
    place.tessera.advance(31_000);
    expect(errorOf(await refresh(first.refresh_token))).toBe('invalid_grant');
    expect(errorOf(await refresh(second.refresh_token))).toBe('invalid_grant');
    expect(await introspect(second.access_token)).toEqual({ active: false });
    expect((await userinfo(second.access_token)).status).toBe(401);
    const { records } = await place.world.call('audit-log.list', {
      query: { teamId: place.world.team.id, limit: 5 },
    });
    expect(JSON.stringify(records)).toContain('refresh_token_reuse');
  });

  test('a wrong client changes nothing about a refresh token', async () => {
    const { refresh_token: token } = await place.world.signIn();
    const other = await otherApp();
    expect(errorOf(await refresh(token, {}, other))).toBe('invalid_grant');
    const second = (await refresh(token)).json() as { refresh_token: string };
    expect(errorOf(await refresh(token, {}, other))).toBe('invalid_grant');
    place.tessera.advance(31_000);
    expect(errorOf(await refresh(token, {}, other))).toBe('invalid_grant');
    expect((await refresh(second.refresh_token)).status).toBe(200);
  });

  test('scopes may narrow for one access token, and never widen (security-33)', async () => {
    const { refresh_token: token } = await place.world.signIn();
    expect(errorOf(await refresh(token, { scope: 'openid admin' }))).toBe('invalid_scope');
    const narrow = (await refresh(token, { scope: 'openid' })).json() as {
      access_token: string;
      refresh_token: string;
    };
    expect(narrow).toMatchObject({ scope: 'openid' });
    expect((await userinfo(narrow.access_token)).json()).not.toHaveProperty('email');
    expect((await refresh(narrow.refresh_token)).json()).toMatchObject({
      scope: 'openid profile email offline_access',
    });
  });

  test.each(['access_token', 'refresh_token'] as const)(
    'revoking the %s ends both (security-37)',
    async (which) => {
      const tokens = await place.world.signIn();
      const other = await otherApp();
      expect(errorOf(await revoke(tokens[which], other)), 'own tokens only (security-36)').toBe(
        'invalid_request',
      );
      expect(await introspect(tokens[which])).toMatchObject({ active: true });
      expect((await revoke(tokens[which])).status).toBe(200);
      expect(await introspect(tokens.access_token)).toEqual({ active: false });
      expect(errorOf(await refresh(tokens.refresh_token))).toBe('invalid_grant');
      expect((await revoke(tokens[which])).status, 'again').toBe(200);
    },
  );

  test('revoking what is unknown is done already (security-36)', async () => {
    for (const token of ['x', 'vca_unknown', `vcr_${'0'.repeat(49)}`])
      expect((await revoke(token)).status).toBe(200);
    expect((await sendForm(url('token/revoke'), { token: 'x' })).status).toBe(401);
    expect(errorOf(await sendForm(url('token/revoke'), {}, basic(place.world.app)))).toBe('invalid_request');
  });

  test('survive a restart, used ones as used (incident I6)', async () => {
    const first = await place.world.signIn();
    const second = (await refresh(first.refresh_token)).json() as typeof first;
    await place.tessera.restart();
    expect(await introspect(second.access_token)).toMatchObject({ active: true });
    place.tessera.advance(31_000);
    expect(errorOf(await refresh(first.refresh_token))).toBe('invalid_grant');
    expect(errorOf(await refresh(second.refresh_token))).toBe('invalid_grant');
  });

  test('rotation never moves the end, 30 days after the first token (security-32)', async () => {
    const first = await place.world.signIn();
    place.tessera.advance(29 * 24 * 60 * 60 * 1000);
    const second = (await refresh(first.refresh_token)).json() as typeof first;
    place.tessera.advance(24 * 60 * 60 * 1000);
    expect(errorOf(await refresh(second.refresh_token))).toBe('invalid_grant');
  });
});
