import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose';
import { expect, test } from 'vitest';
import { createHash } from 'node:crypto';
import { send, sendForm, type Answer } from '../harness/send.ts';
import { createApp, type TokenAnswer } from '../harness/sign-in-world.ts';
import { createAuthorizationRequest } from '../harness/sign-in.ts';
import { basic, describeSignIn } from './on-both-databases.ts';

describeSignIn('an authorization code', (place) => {
  const tokenUrl = () => `${place.tessera.urls.api}/login/oauth/token`;
  const errorOf = (answer: Answer) => answer.json() as { error: string; error_description: string };
  type Issued = Awaited<ReturnType<typeof place.world.issueCode>>;
  const fieldsOf = ({ code, request }: Issued, more: Record<string, string | undefined> = {}) => {
    const fields = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: place.world.app.redirectUri,
      code_verifier: request.codeVerifier,
      ...more,
    };
    return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Record<
      string,
      string
    >;
  };
  const redeem = (issued: Issued, more: Record<string, string | undefined> = {}, app = place.world.app) =>
    sendForm(tokenUrl(), fieldsOf(issued, more), basic(app));

  test('gives an ID token of the right person, session, request and access token', async () => {
    const { origin } = place.tessera.urls;
    const issued = await place.world.issueCode();
    const answer = await redeem(issued);
    expect(answer.headers['cache-control']).toBe('no-store');
    const tokens = answer.json() as TokenAnswer;
    expect(tokens).toMatchObject({
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'openid profile email offline_access',
    });
    expect(tokens.access_token).toMatch(/^vca_[0-9A-Za-z]{49}$/);
    expect(tokens.refresh_token).toMatch(/^vcr_[0-9A-Za-z]{49}$/);
    const keySet = (await send(`${origin}/.well-known/jwks`)).json() as JSONWebKeySet;
    const { payload } = await jwtVerify(tokens.id_token, createLocalJWKSet(keySet), {
      issuer: origin,
      audience: place.world.app.clientId,
    });
    expect(decodeProtectedHeader(tokens.id_token)).toMatchObject({ alg: 'RS256', typ: 'JWT' });
    expect(payload).toMatchObject({
      sub: expect.stringMatching(/^usr_/) as string,
      nonce: issued.request.nonce,
      sid: expect.stringMatching(/^sid_/) as string,
      jti: expect.any(String) as string,
      auth_time: expect.any(Number) as number,
      amr: ['pwd'],
      at_hash: createHash('sha256')
        .update(tokens.access_token)
        .digest()
        .subarray(0, 16)
        .toString('base64url'),
      name: 'Ada Lovelace',
      preferred_username: 'ada',
      email: 'ada@acme.example',
      email_verified: expect.any(Boolean) as boolean,
    });
    expect(payload).not.toHaveProperty('picture');
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(3600);
    expect(payload.nbf).toBe(payload.iat);
  });

  test.each(['PS256', 'ES256', 'EdDSA'] as const)(
    'gives an ID token signed with %s to an app that wants it',
    async (algorithm) => {
      const { call, team, app } = place.world;
      const update = (alg: 'RS256' | typeof algorithm) =>
        call('apps.update', {
          params: { id: app.clientId },
          query: { teamId: team.id },
          body: { idTokenSignedResponseAlg: alg },
        });
      await update(algorithm);
      try {
        const tokens = await place.world.signIn();
        const keySet = (await send(`${place.tessera.urls.origin}/.well-known/jwks`)).json() as JSONWebKeySet;
        await jwtVerify(tokens.id_token, createLocalJWKSet(keySet), { algorithms: [algorithm] });
        const { at_hash } = (await jwtVerify(tokens.id_token, createLocalJWKSet(keySet))).payload;
        expect(at_hash).toHaveLength(algorithm === 'EdDSA' ? 43 : 22);
      } finally {
        await update('RS256');
      }
    },
  );

  test('gives no refresh token without offline_access, no ID token without openid, and no scope that the app does not have (security-26)', async () => {
    const { visitor } = place.world.admin;
    const ask = async (scope: string) => {
      const request = createAuthorizationRequest(place.tessera.urls.origin, place.world.app, { scope });
      const code = (await visitor.open(request.url)).location().searchParams.get('code') ?? '';
      return (await redeem({ code, request })).json();
    };
    await place.world.issueCode();
    expect(await ask('openid')).not.toHaveProperty('refresh_token');
    const plain = await ask('email');
    expect(plain).not.toHaveProperty('id_token');
    expect(plain).toMatchObject({ scope: 'email' });
    // Scopes that the app does not have are dropped (security-26).
    expect(await ask('openid admin')).toMatchObject({ scope: 'openid' });
  });

  test('of a hundred redemptions at once gives tokens to one, and these end with the second (security-18, 19)', async () => {
    const issued = await place.world.issueCode();
    const answers = await Promise.all(Array.from({ length: 100 }, () => redeem(issued)));
    const winners = answers.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    const losers = answers.filter(({ status }) => status !== 200);
    expect(new Set(losers.map((answer) => errorOf(answer).error))).toEqual(new Set(['invalid_grant']));
    const tokens = winners[0]?.json() as TokenAnswer;
    expect((await place.world.refresh(tokens.refresh_token)).status).toBe(400);
    const userinfo = await send(`${place.tessera.urls.api}/login/oauth/userinfo`, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    expect(userinfo.status).toBe(401);
  });

  test('is refused for another client, and not used up by it (security-20)', async () => {
    const other = await createApp(place.world.call, place.world.team.id, { name: `Thief ${Math.random()}` });
    const issued = await place.world.issueCode();
    const stolen = await redeem(issued, {}, other);
    expect(stolen.status).toBe(400);
    expect(errorOf(stolen).error).toBe('invalid_grant');
    expect((await redeem(issued)).status).toBe(200);
    // Nor can another client end what it gave.
    const tokens = (await place.world.issueCode()) && (await place.world.signIn());
    await redeem(issued, {}, other);
    expect((await place.world.refresh(tokens.refresh_token)).status).toBe(200);
  });

  test.each<[string, Record<string, string | undefined>, string]>([
    ['a wrong verifier', { code_verifier: 'x'.repeat(43) }, 'invalid_grant'],
    ['no verifier', { code_verifier: undefined }, 'invalid_grant'],
    ['a malformed verifier', { code_verifier: 'short' }, 'invalid_grant'],
    ['another redirect URI', { redirect_uri: 'http://localhost:9/other' }, 'invalid_grant'],
    ['no redirect URI', { redirect_uri: undefined }, 'invalid_request'],
    ['no code', { code: undefined }, 'invalid_request'],
    ['another code', { code: 'nothing' }, 'invalid_grant'],
    ['no grant type', { grant_type: undefined }, 'invalid_request'],
    ['the password grant (security-22)', { grant_type: 'password' }, 'unsupported_grant_type'],
    ['a resource', { resource: 'https://api.example' }, 'invalid_target'],
  ])('is refused with %s, and not used up by it (security-21)', async (_name, more, error) => {
    const issued = await place.world.issueCode();
    const refused = await redeem(issued, more);
    expect(refused.status).toBe(400);
    expect(errorOf(refused).error).toBe(error);
    expect(refused.headers['cache-control']).toBe('no-store');
    expect((await redeem(issued)).status).toBe(200);
  });

  test('lives 60 seconds (security-6)', async () => {
    const issued = await place.world.issueCode();
    place.tessera.advance(61_000);
    const late = await redeem(issued);
    expect(late.status).toBe(400);
    expect(errorOf(late)).toMatchObject({
      error: 'invalid_grant',
      error_description: expect.stringContaining('expired') as string,
    });
  });

  test('is worthless once its redirect URI is taken off the list (security-6)', async () => {
    const { call, team } = place.world;
    const app = await createApp(call, team.id, { name: `Moved ${Math.random()}` });
    const request = createAuthorizationRequest(place.tessera.urls.origin, app);
    const { visitor } = place.world.admin;
    const page = await visitor.visit(request.url);
    const answer = await visitor.follow(
      await visitor.submit(page, 'consent', {}, 'consent-allow'),
      (url) => url.port === '9',
    );
    const code = answer.location().searchParams.get('code') ?? '';
    await call('apps.update', {
      params: { id: app.clientId },
      query: { teamId: team.id },
      body: { redirectUris: ['http://localhost:9/elsewhere'] },
    });
    expect(errorOf(await redeem({ code, request }, {}, app)).error).toBe('invalid_grant');
  });

  test('is accepted from a form body alone (security-24)', async () => {
    const issued = await place.world.issueCode();
    const inUrl = await send(`${tokenUrl()}?${new URLSearchParams(fieldsOf(issued)).toString()}`, {
      method: 'POST',
      headers: basic(place.world.app),
    });
    expect(inUrl.status).toBe(400);
    const asJson = await send(tokenUrl(), {
      method: 'POST',
      headers: { ...basic(place.world.app), 'content-type': 'application/json' },
      body: JSON.stringify(fieldsOf(issued)),
    });
    expect([400, 415]).toContain(asJson.status);
    const twice = await send(tokenUrl(), {
      method: 'POST',
      headers: { ...basic(place.world.app), 'content-type': 'application/x-www-form-urlencoded' },
      body: `${new URLSearchParams(fieldsOf(issued)).toString()}&code=${issued.code}`,
    });
    expect(errorOf(twice).error).toBe('invalid_request');
    for (const method of ['GET', 'PUT', 'DELETE'])
      expect((await send(tokenUrl(), { method })).status).toBe(405);
    expect((await redeem(issued)).status).toBe(200);
  });

  test('takes its client’s authentication by one method, with the challenge where Basic failed (security-24, 43)', async () => {
    const issued = await place.world.issueCode();
    const wrong = await redeem(issued, {}, { ...place.world.app, clientSecret: 'wrong' });
    expect(wrong.status).toBe(401);
    expect(wrong.headers['www-authenticate']).toMatch(/^Basic /);
    expect(errorOf(wrong).error).toBe('invalid_client');
    const { clientId, clientSecret } = place.world.app;
    const both = await redeem(issued, { client_id: clientId, client_secret: clientSecret });
    expect(errorOf(both).error).toBe('invalid_request');
    // Registered for client_secret_basic alone (security-44).
    const posted = await sendForm(
      tokenUrl(),
      fieldsOf(issued, { client_id: clientId, client_secret: clientSecret }),
    );
    expect(errorOf(posted).error).toBe('invalid_client');
    const none = await sendForm(tokenUrl(), fieldsOf(issued, { client_id: clientId }));
    expect(errorOf(none).error).toBe('invalid_client');
    expect((await redeem(issued)).status).toBe(200);
  });

  test('ends in the attempt’s timeline', async () => {
    const { call, team } = place.world;
    const issued = await place.world.issueCode();
    await redeem(issued, { code_verifier: 'x'.repeat(43) });
    expect((await redeem(issued)).status).toBe(200);
    const { records } = await call('audit-log.list', { query: { teamId: team.id, limit: 20 } });
    const record = records.find(({ action }) => action === 'authorization-code.issue');
    const attempt = await call('sign-in-attempts.find', {
      query: { teamId: team.id, reference: record?.reference ?? '' },
    });
    expect(JSON.stringify(attempt)).toMatch(
      /request.*login.*consent.*code.*tokens.*failed.*code_verifier.*tokens.*ok/,
    );
  });
});
