import { calculateJwkThumbprint } from 'jose';
import { createHash, randomBytes } from 'node:crypto';
import * as openid from 'openid-client';
import { beforeAll, expect, test } from 'vitest';
import { findText } from '../harness/html.ts';
import {
  assertionFields,
  createKey,
  createKeyClient,
  createProof,
  type KeyClient,
} from '../harness/key-client.ts';
import { send, sendForm, type Answer } from '../harness/send.ts';
import { createAuthorizationRequest, passSignInPages } from '../harness/sign-in.ts';
import { createVisitor, isRedirect } from '../harness/visitor.ts';
import { basic, describeSignIn } from './on-both-databases.ts';

const errorOf = (answer: Answer) => (answer.json() as { error: string }).error;

describeSignIn('a pushed authorization request', (place) => {
  let client: KeyClient;
  let verifier: string;
  const parUrl = () => `${place.tessera.urls.api}/login/oauth/par`;
  const at = () => ({ teamId: place.world.team.id, issuer: place.tessera.urls.origin });
  const parameters = (more: Record<string, string | undefined> = {}): Record<string, string> => {
    const all = {
      client_id: client.clientId,
      redirect_uri: client.redirectUri,
      response_type: 'code',
      scope: 'openid email',
      state: 'as it was sent',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...more,
    };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  };
  const push = async (
    more: Record<string, string | undefined> = {},
    headers: Record<string, string> = {},
    of = client,
  ) => {
    const fields = { ...parameters({ client_id: of.clientId, ...more }), ...(await assertionFields(of)) };
    return sendForm(parUrl(), fields, headers);
  };
  const requestUriOf = (answer: Answer) => (answer.json() as { request_uri: string }).request_uri;
  const addressOf = (requestUri: string, more: Record<string, string> = {}) => {
    const url = new URL(`${place.tessera.urls.origin}/oauth/authorize`);
    const query = { client_id: client.clientId, request_uri: requestUri, ...more };
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url;
  };
  const isAnswer = (url: URL) => url.port === '9';
  const open = (requestUri: string, more: Record<string, string> = {}) =>
    place.world.admin.visitor.visit(addressOf(requestUri, more), isAnswer);

  beforeAll(async () => {
    verifier = randomBytes(32).toString('base64url');
    client = await createKeyClient(place.world.call, at());
    // Consent is remembered from here on.
    const { admin } = place.world;
    const request = createAuthorizationRequest(place.tessera.urls.origin, client);
    await passSignInPages(admin.visitor, request.url, admin);
  });

  test('stands for its parameters, and nothing beside it counts (security-17)', async () => {
    const pushed = await push();
    expect(pushed.status).toBe(201);
    expect(pushed.headers['cache-control']).toBe('no-store');
    const { expires_in: life } = pushed.json() as { expires_in: number };
    expect(life).toBeGreaterThanOrEqual(5);
    expect(life).toBeLessThanOrEqual(600);
    const answer = await open(requestUriOf(pushed), {
      state: 'from outside',
      redirect_uri: 'https://evil.example/cb',
      scope: 'openid profile',
    });
    const { searchParams } = answer.location();
    expect(searchParams.get('state')).toBe('as it was sent');
    const tokens = await sendForm(`${place.tessera.urls.api}/login/oauth/token`, {
      grant_type: 'authorization_code',
      code: searchParams.get('code') ?? '',
      redirect_uri: client.redirectUri,
      code_verifier: verifier,
      ...(await assertionFields(client)),
    });
    expect(tokens.json()).toMatchObject({ scope: 'openid email' });
  });

  test('may be opened twice before it is answered, and never after (security-17)', async () => {
    const requestUri = requestUriOf(await push());
    const [one, other] = [createVisitor(), createVisitor()];
    // Somebody’s link preview, or a page loaded again.
    const { admin } = place.world;
    const page = await one.visit(addressOf(requestUri), isAnswer);
    expect(page.text).toMatch(/id="login"/);
    const second = await other.visit(addressOf(requestUri), isAnswer);
    const finish = async (visitor: typeof one, at: Answer) =>
      visitor.follow(
        await visitor.submit(at, 'login', { email: admin.email, password: admin.password }, 'login-submit'),
        isAnswer,
      );
    expect((await finish(one, page)).location().searchParams.get('code')).not.toBeNull();
    const late = await finish(other, second);
    expect([late.status, isRedirect(late)]).toEqual([404, false]);
    const again = await open(requestUri);
    expect(again.status).toBe(404);
    expect(findText(again.text, 'error-description')).toMatch(/answered before/);
  });

  test('gives one code, of a hundred openings at once (security-17)', async () => {
    const url = addressOf(requestUriOf(await push()));
    const { visitor } = place.world.admin;
    const answers = await Promise.all(Array.from({ length: 100 }, () => visitor.open(url)));
    const codes = answers.filter((one) => isRedirect(one) && one.location().searchParams.has('code'));
    expect(codes).toHaveLength(1);
    expect(new Set(answers.filter((one) => !codes.includes(one)).map(({ status }) => status))).toEqual(
      new Set([404]),
    );
  });

  test('is used up by a refusal too, and can be opened for a minute alone (security-17)', async () => {
    const visitor = createVisitor();
    const silent = requestUriOf(await push({ prompt: 'none' }));
    const refused = await visitor.visit(addressOf(silent), isAnswer);
    expect(refused.location().searchParams.get('error')).toBe('login_required');
    expect((await open(silent)).status).toBe(404);
    const late = requestUriOf(await push());
    place.tessera.advance(61_000);
    expect((await open(late)).status).toBe(404);
    place.tessera.advance(-61_000);
  });

  test('is taken so many times a minute from one client', async () => {
    const eager = await createKeyClient(place.world.call, at());
    const statuses = [];
    let last: Answer | undefined;
    for (let round = 0; round < 13 && last === undefined; round += 1) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => push({}, {}, eager)));
      statuses.push(...answers.map(({ status }) => status));
      last = answers.find(({ status }) => status === 429);
    }
    expect(statuses.filter((status) => status === 201)).toHaveLength(600);
    expect(errorOf(last!)).toBe('temporarily_unavailable');
    expect(last!.headers['retry-after']).toBe('60');
    // Another client is not kept waiting.
    expect((await push()).status).toBe(201);
  });

  test('is one client’s own, and of ours (security-17)', async () => {
    const requestUri = requestUriOf(await push());
    const foreign = await open(requestUri, { client_id: place.world.app.clientId });
    expect(foreign.status).toBe(404);
    expect((await open('urn:ietf:params:oauth:request_uri:made-up')).status).toBe(404);
    const fetched = await open('https://client.example/request', { redirect_uri: client.redirectUri });
    expect(fetched.location().searchParams.get('error')).toBe('request_uri_not_supported');
    expect((await open(requestUri)).location().searchParams.get('code')).not.toBeNull();
  });

  test('is refused as the authorization endpoint would refuse it, to the client (security-17)', async () => {
    const wrong: [Record<string, string | undefined>, string][] = [
      [{ request_uri: 'urn:ietf:params:oauth:request_uri:x' }, 'invalid_request'],
      [{ request: 'a.b.c' }, 'request_not_supported'],
      [{ redirect_uri: undefined }, 'invalid_request'],
      [{ redirect_uri: 'https://evil.example/cb' }, 'invalid_request'],
      [{ response_type: 'code id_token' }, 'unsupported_response_type'],
      [{ response_type: undefined }, 'invalid_request'],
      [{ code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
      [{ code_challenge_method: 'plain' }, 'invalid_request'],
      [{ scope: 'admin' }, 'invalid_scope'],
      [{ prompt: 'test' }, 'invalid_request'],
      [{ state: 'x'.repeat(2_049) }, 'invalid_request'],
      [{ resource: 'https://elsewhere.example' }, 'invalid_target'],
    ];
    for (const [more, error] of wrong) {
      const answer = await push(more);
      expect([answer.status, errorOf(answer)], JSON.stringify(more)).toEqual([400, error]);
    }
    const nobody = await sendForm(parUrl(), parameters());
    expect([nobody.status, errorOf(nobody)]).toEqual([401, 'invalid_client']);
    const other = await sendForm(parUrl(), {
      ...parameters(),
      ...(await assertionFields(client)),
      client_id: place.world.app.clientId,
    });
    expect(errorOf(other)).toBe('invalid_client');
    const mixed = await sendForm(parUrl(), parameters(), basic(place.world.app));
    expect(errorOf(mixed)).toBe('invalid_request');
    for (const method of ['GET', 'PUT', 'DELETE'])
      expect((await send(parUrl(), { method })).status).toBe(405);
    const inUrl = await send(`${parUrl()}?${new URLSearchParams(parameters()).toString()}`, {
      method: 'POST',
    });
    expect(inUrl.status).toBe(400);
  });

  test('binds its code to the key that it was pushed with (RFC 9449, 10.1)', async () => {
    const key = await createKey();
    const jkt = await calculateJwkThumbprint(key.publicJwk);
    const prove = () => createProof(key, { url: parUrl() });
    const other = await push({ dpop_jkt: 'x'.repeat(43) }, { dpop: await prove() });
    expect([other.status, errorOf(other)]).toEqual([400, 'invalid_dpop_proof']);
    const elsewhere = await createProof(key, { url: `${place.tessera.urls.api}/login/oauth/token` });
    expect(errorOf(await push({}, { dpop: elsewhere }))).toBe('invalid_dpop_proof');
    const pushed = await push({ dpop_jkt: jkt }, { dpop: await prove() });
    expect(pushed.headers['dpop-nonce']).toBeDefined();
    const code = (await open(requestUriOf(pushed))).location().searchParams.get('code') ?? '';
    const url = `${place.tessera.urls.api}/login/oauth/token`;
    const redeem = async (proof?: string) =>
      sendForm(
        url,
        {
          grant_type: 'authorization_code',
          code,
          redirect_uri: client.redirectUri,
          code_verifier: verifier,
          ...(await assertionFields(client)),
        },
        proof === undefined ? {} : { dpop: proof },
      );
    expect(errorOf(await redeem())).toBe('invalid_grant');
    expect(errorOf(await redeem(await createProof(await createKey(), { url })))).toBe('invalid_grant');
    expect((await redeem(await createProof(key, { url }))).json()).toMatchObject({ token_type: 'DPoP' });
  });

  test('is required of an app that says so', async () => {
    const strict = await createKeyClient(place.world.call, at(), {
      requirePushedAuthorizationRequests: true,
    });
    const { visitor } = place.world.admin;
    const plain = createAuthorizationRequest(place.tessera.urls.origin, strict);
    const refused = (await visitor.open(plain.url)).location();
    expect(refused.searchParams.get('error')).toBe('invalid_request');
    expect((await push({}, {}, strict)).status).toBe(201);
  });
});

describeSignIn('the FAPI 2.0 profile', (place) => {
  const fapi = {
    securityProfile: 'fapi2',
    requirePushedAuthorizationRequests: true,
    dpopBoundAccessTokens: true,
    idTokenSignedResponseAlg: 'ES256',
  };
  const at = () => ({ teamId: place.world.team.id, issuer: place.tessera.urls.origin });

  test('stands in an app’s fields: one that does not fit is refused', async () => {
    const { call } = place.world;
    for (const wrong of [
      { requirePushedAuthorizationRequests: false },
      { dpopBoundAccessTokens: false },
      { idTokenSignedResponseAlg: 'RS256' },
      { tokenEndpointAuthSigningAlg: 'RS256' },
      { tokenEndpointAuthMethods: ['private_key_jwt', 'client_secret_basic'] },
      { tokenEndpointAuthMethods: ['none'] },
      { requirePkce: false },
      { strictAssertionAudience: false },
      { redirectUris: ['com.example.app:/cb'] },
    ]) {
      const made = createKeyClient(call, at(), { ...fapi, ...wrong });
      await expect(made, JSON.stringify(wrong)).rejects.toMatchObject({ problem: { code: 'invalid_app' } });
    }
  });

  test('refuses RS256 in assertions (security-42)', async () => {
    const { call } = place.world;
    const [rsa, pss] = [await createKey('RS256'), await createKey('PS256')];
    const jwks = {
      keys: [
        { ...rsa.publicJwk, alg: 'RS256' },
        { ...pss.publicJwk, alg: 'PS256' },
      ],
    };
    const client = await createKeyClient(call, at(), { ...fapi, jwks });
    const url = `${place.tessera.urls.api}/login/oauth/token`;
    const ask = async (key: typeof rsa) =>
      sendForm(
        url,
        { grant_type: 'client_credentials', ...(await assertionFields(client, { key })) },
        { dpop: await createProof(pss, { url }) },
      );
    expect((await ask(rsa)).status).toBe(401);
    expect((await ask(pss)).json()).toMatchObject({ token_type: 'DPoP' });
  });

  test('carries an unmodified client through a sign-in, a refresh and userinfo', async () => {
    const { call, admin } = place.world;
    const client = await createKeyClient(call, at(), fapi);
    const config = await openid.discovery(
      new URL(place.tessera.urls.origin),
      client.clientId,
      { use_mtls_endpoint_aliases: false, id_token_signed_response_alg: 'ES256' },
      openid.PrivateKeyJwt(client.key.privateKey),
      { execute: [openid.allowInsecureRequests] },
    );
    const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('ES256'));
    const pkceCodeVerifier = openid.randomPKCECodeVerifier();
    const [expectedState, expectedNonce] = [openid.randomState(), openid.randomNonce()];
    const url = await openid.buildAuthorizationUrlWithPAR(
      config,
      {
        redirect_uri: client.redirectUri,
        scope: 'openid email offline_access',
        code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
        state: expectedState,
        nonce: expectedNonce,
      },
      { DPoP },
    );
    expect([...url.searchParams.keys()].toSorted()).toEqual(['client_id', 'request_uri']);
    const page = await admin.visitor.visit(url, ({ port }) => port === '9');
    const answer = await admin.visitor.submit(page, 'consent', {}, 'consent-allow');
    const back = (await admin.visitor.follow(answer, ({ port }) => port === '9')).location();
    const tokens = await openid.authorizationCodeGrant(
      config,
      back,
      { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true },
      undefined,
      { DPoP },
    );
    expect(tokens.token_type).toBe('dpop');
    const sub = tokens.claims()?.sub ?? '';
    expect(await openid.fetchUserInfo(config, tokens.access_token, sub, { DPoP })).toMatchObject({
      email: admin.email,
    });
    const refreshed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '', undefined, { DPoP });
    expect(refreshed.token_type).toBe('dpop');
    await openid.tokenRevocation(config, refreshed.refresh_token ?? '');
    await expect(openid.fetchUserInfo(config, refreshed.access_token, sub, { DPoP })).rejects.toThrow();
  });

  test('carries a public client through the server’s nonces', async () => {
    const { call, admin } = place.world;
    const made = await createKeyClient(call, at(), { tokenEndpointAuthMethods: ['none'], jwks: null });
    const config = await openid.discovery(
      new URL(place.tessera.urls.origin),
      made.clientId,
      undefined,
      openid.None(),
      { execute: [openid.allowInsecureRequests] },
    );
    const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('Ed25519'));
    const pkceCodeVerifier = openid.randomPKCECodeVerifier();
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: made.redirectUri,
      scope: 'openid',
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    });
    const back = await passSignInPages(admin.visitor, url, admin);
    const tokens = await openid.authorizationCodeGrant(config, back, { pkceCodeVerifier }, undefined, {
      DPoP,
    });
    expect(tokens.token_type).toBe('dpop');
    const sub = tokens.claims()?.sub ?? '';
    expect(await openid.fetchUserInfo(config, tokens.access_token, sub, { DPoP })).toMatchObject({ sub });
  });
});
