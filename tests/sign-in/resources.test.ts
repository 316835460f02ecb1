import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose';
import { expect, test } from 'vitest';
import { send, sendForm } from '../harness/send.ts';
import { describeSignIn } from './on-both-databases.ts';
import { claimsOf, openApp } from './open-app.ts';

const orders = 'https://orders.example';
const billing = 'https://billing.example';

describeSignIn('resource servers', (place) => {
  const api = () => place.tessera.urls.api;
  const errorOf = (answer: { json(): unknown }) => (answer.json() as { error: string }).error;
  const userinfo = async (token: string) =>
    (await send(`${api()}/login/oauth/userinfo`, { headers: { authorization: `Bearer ${token}` } })).status;
  const withResources = (more: object = {}) => openApp(place, { resources: [orders, billing], ...more });

  test('a token is for the servers that it was asked for, and for no other (security-25)', async () => {
    const app = await withResources();
    const { access_token: token } = await app.signIn({ resource: orders });
    expect(await app.introspect(token)).toMatchObject({ active: true, aud: [orders] });
    // It could be passed on by the server that it is for.
    expect(await userinfo(token)).toBe(401);
    expect((await send(`${api()}/v2/user`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(
      401,
    );
    const { access_token: own } = await app.signIn();
    expect(await app.introspect(own)).toMatchObject({ aud: api() });
    expect(await userinfo(own)).toBe(200);
  });

  test('our own API may be named by any app', async () => {
    const app = await openApp(place);
    const { access_token: token } = await app.signIn({ resource: api() });
    expect(await app.introspect(token)).toMatchObject({ aud: [api()] });
    expect(await userinfo(token)).toBe(200);
  });

  test('a server that is not registered for the app is no target (security-25)', async () => {
    const app = await withResources();
    for (const resource of ['https://else.example', `${orders}/`, 'orders', `${orders}#x`]) {
      const { answer } = await app.authorize({ resource });
      expect(answer.searchParams.get('error')).toBe('invalid_target');
      const answered = await app.token({ grant_type: 'client_credentials', resource });
      expect([answered.status, errorOf(answered)]).toEqual([400, 'invalid_target']);
    }
  });

  test('of several servers each token may be for one; never for more than was allowed (security-33)', async () => {
    const app = await withResources();
    const tokens = await app.signIn({ resource: `${orders} ${billing}` }, { resource: billing });
    expect(await app.introspect(tokens.access_token)).toMatchObject({ aud: [billing] });
    const refresh = (resource?: string) =>
      app.token({
        grant_type: 'refresh_token',
        refresh_token: tokens.refresh_token,
        ...(resource === undefined ? {} : { resource }),
      });
    const wrong = await refresh('https://else.example');
    expect([wrong.status, errorOf(wrong)]).toEqual([400, 'invalid_target']);
    const narrowed = (await refresh(orders)).json() as { access_token: string };
    expect(await app.introspect(narrowed.access_token)).toMatchObject({ aud: [orders] });
    const plain = await app.redeem({ resource: orders }, { resource: billing });
    expect([plain.status, errorOf(plain)]).toEqual([400, 'invalid_target']);
    const own = await app.redeem({}, { resource: orders });
    expect([own.status, errorOf(own)]).toEqual([400, 'invalid_target']);
  });

  test('the parameter may be repeated (RFC 8707, 2)', async () => {
    const app = await withResources();
    const body = new URLSearchParams([
      ['grant_type', 'client_credentials'],
      ['resource', orders],
      ['resource', billing],
    ]).toString();
    const answer = await send(`${api()}/login/oauth/token`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Basic ${Buffer.from(`${app.clientId}:${app.clientSecret}`).toString('base64')}`,
      },
      body,
    });
    expect(answer.status).toBe(200);
    const { access_token: token } = answer.json() as { access_token: string };
    expect(await app.introspect(token)).toMatchObject({ aud: [orders, billing] });
  });

  test.each(['RS256', 'PS256', 'ES256', 'EdDSA'] as const)(
    'an app may have its access tokens as JWTs, here by %s (RFC 9068, security-25)',
    async (algorithm) => {
      const app = await withResources({ accessTokenFormat: 'jwt', idTokenSignedResponseAlg: algorithm });
      const { access_token: token, id_token: idToken } = await app.signIn({ resource: orders });
      const keys = (await send(`${place.tessera.urls.origin}/.well-known/jwks`)).json() as JSONWebKeySet;
      const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(keys), {
        issuer: place.tessera.urls.origin,
        audience: orders,
        typ: 'at+jwt',
        algorithms: [algorithm],
      });
      expect(payload).toMatchObject({
        client_id: app.clientId,
        sub: claimsOf(idToken)['sub'],
        scope: 'openid profile email offline_access',
        jti: expect.stringMatching(/^jti_/) as string,
        sid: expect.stringMatching(/^sid_/) as string,
        auth_time: expect.any(Number) as number,
      });
      expect(Number(payload.exp) - Number(payload.iat)).toBe(3600);
      // One key, one use.
      expect(protectedHeader.kid).not.toBe(decodeProtectedHeader(idToken).kid);
      expect(await app.introspect(token)).toMatchObject({ active: true, jti: payload.jti, aud: [orders] });
      expect(await app.introspect(idToken)).toEqual({ active: false });
    },
  );

  test('a JWT that we did not store is nothing, however well it is formed', async () => {
    const app = await withResources({ accessTokenFormat: 'jwt' });
    const { access_token: token } = await app.signIn();
    expect(await userinfo(token)).toBe(200);
    const [header = '', payload = '', signature = ''] = token.split('.');
    const forged = Buffer.from(payload, 'base64url')
      .toString()
      .replace(/usr_\w+/, 'usr_0');
    expect(await userinfo(`${header}.${Buffer.from(forged).toString('base64url')}.${signature}`)).toBe(401);
    expect(await userinfo(`${header}.${payload}.${signature.slice(0, -2)}AA`)).toBe(401);
    const revoke = await sendForm(
      `${api()}/login/oauth/token/revoke`,
      { token },
      { authorization: `Basic ${Buffer.from(`${app.clientId}:${app.clientSecret}`).toString('base64')}` },
    );
    expect(revoke.status).toBe(200);
    expect(await userinfo(token)).toBe(401);
  });

  test('an app for itself gets JWTs too, with itself as the subject', async () => {
    const app = await withResources({ accessTokenFormat: 'jwt' });
    const answer = await app.token({ grant_type: 'client_credentials', resource: orders });
    const { access_token: token } = answer.json() as { access_token: string };
    expect(claimsOf(token)).toMatchObject({ sub: app.clientId, client_id: app.clientId, aud: orders });
    expect(claimsOf(token)).not.toHaveProperty('auth_time');
  });
});
