import { calculateJwkThumbprint } from 'jose';
import { beforeAll, expect, test } from 'vitest';
import {
  assertionFields,
  createKey,
  createKeyClient,
  createProof,
  type Changes,
  type Key,
  type KeyClient,
} from '../harness/key-client.ts';
import { send, sendForm, type Answer } from '../harness/send.ts';
import {
  createAuthorizationRequest,
  passSignInPages,
  type AuthorizationRequest,
} from '../harness/sign-in.ts';
import { createApp, type TokenAnswer } from '../harness/sign-in-world.ts';
import { basic, describeSignIn } from './on-both-databases.ts';

const errorOf = (answer: Answer) => (answer.json() as { error: string }).error;

describeSignIn('DPoP', (place) => {
  let client: KeyClient;
  let key: Key;
  let jkt: string;
  const tokenUrl = () => `${place.tessera.urls.api}/login/oauth/token`;
  const userinfoUrl = () => `${place.tessera.urls.api}/login/oauth/userinfo`;

  beforeAll(async () => {
    const at = { teamId: place.world.team.id, issuer: place.tessera.urls.origin };
    client = await createKeyClient(place.world.call, at);
    key = await createKey();
    jkt = await calculateJwkThumbprint(key.publicJwk);
  });

  type Issued = { code: string; request: AuthorizationRequest };
  async function issueCode(more: Record<string, string | undefined> = {}, of = client): Promise<Issued> {
    const { admin } = place.world;
    const request = createAuthorizationRequest(place.tessera.urls.origin, of, more);
    const answer = await passSignInPages(admin.visitor, request.url, admin);
    return { code: answer.searchParams.get('code') ?? '', request };
  }
  const codeFields = ({ code, request }: Issued) => ({
    grant_type: 'authorization_code',
    code,
    redirect_uri: client.redirectUri,
    code_verifier: request.codeVerifier,
  });
  async function ask(fields: Record<string, string>, proof?: string): Promise<Answer> {
    const all = { ...fields, ...(await assertionFields(client)) };
    return sendForm(tokenUrl(), all, proof === undefined ? {} : { dpop: proof });
  }
  const prove = (changes: Changes = {}, more: { nonce?: string } = {}) =>
    createProof(changes.key ?? key, { url: tokenUrl(), ...more }, changes);
  const userinfo = async (accessToken: string, proof?: string, scheme = 'DPoP', method = 'GET') =>
    send(userinfoUrl(), {
      method,
      headers: {
        authorization: `${scheme} ${accessToken}`,
        ...(proof === undefined ? {} : { dpop: proof }),
      },
    });
  const proveToken = (accessToken: string, changes: Changes = {}, method = 'GET') =>
    createProof(changes.key ?? key, { url: userinfoUrl(), method, accessToken }, changes);

  test('binds tokens to the key that asked for them, and says so everywhere (security-28)', async () => {
    const answer = await ask(codeFields(await issueCode()), await prove());
    const tokens = answer.json() as TokenAnswer;
    expect([answer.status, tokens.token_type]).toEqual([200, 'DPoP']);
    expect(answer.headers['dpop-nonce']).toMatch(/^[\w-]{43}$/);
    const { access_token: token } = tokens;
    const introspected = await sendForm(`${tokenUrl()}/introspect`, {
      ...(await assertionFields(client)),
      token,
    });
    expect(introspected.json()).toMatchObject({ active: true, token_type: 'DPoP', cnf: { jkt } });
    // The scheme in any letter case; both methods.
    expect((await userinfo(token, await proveToken(token))).status).toBe(200);
    expect((await userinfo(token, await proveToken(token), 'dpop')).status).toBe(200);
    expect((await userinfo(token, await proveToken(token, {}, 'POST'), 'DPoP', 'POST')).status).toBe(200);
    const machine = await ask({ grant_type: 'client_credentials' }, await prove());
    expect(machine.json()).toMatchObject({ token_type: 'DPoP' });
    expect((await ask({ grant_type: 'client_credentials' })).json()).toMatchObject({ token_type: 'Bearer' });
  });

  test('keeps a bound token from whoever has not the key (security-28)', async () => {
    const { access_token: token } = (
      await ask(codeFields(await issueCode()), await prove())
    ).json() as TokenAnswer;
    const used = await proveToken(token);
    expect((await userinfo(token, used)).status).toBe(200);
    const other = await createKey();
    const wrong: Record<string, Promise<Answer>> = {
      'as a bearer token': userinfo(token, undefined, 'Bearer'),
      'as a bearer token with a proof': userinfo(token, await proveToken(token), 'Bearer'),
      'without a proof': userinfo(token),
      'with a used proof': userinfo(token, used),
      'with another key': userinfo(token, await proveToken(token, { key: other })),
      'with a proof of no token': userinfo(token, await proveToken(token, { claims: { ath: undefined } })),
      'with a proof of another token': userinfo(token, await proveToken(`${token}x`)),
      'with a proof for another method': userinfo(token, await proveToken(token, {}, 'POST')),
      'with a proof for another address': userinfo(
        token,
        await createProof(key, { url: tokenUrl(), method: 'GET', accessToken: token }),
      ),
      'with an old proof': userinfo(token, await proveToken(token, { ahead: -120_000 })),
      'in the body': sendForm(userinfoUrl(), { access_token: token }),
    };
    for (const [what, asked] of Object.entries(wrong)) {
      const answer = await asked;
      expect(answer.status, what).toBe(401);
      expect(answer.headers['www-authenticate'], what).toMatch(/^DPoP error="\w+", .*algs="ES256 /);
    }
    const bearer = (await place.world.signIn()).access_token;
    expect((await userinfo(bearer, await proveToken(bearer))).status).toBe(401);
    expect((await userinfo(bearer, undefined, 'Bearer')).status).toBe(200);
  });

  test('refuses a wrong proof at the token endpoint, and burns no code for it (security-28)', async () => {
    const issued = await issueCode();
    const fields = codeFields(issued);
    const privateJwk = { ...key.publicJwk, d: 'x' };
    for (const changes of [
      { claims: { htm: 'GET' } },
      { claims: { htu: userinfoUrl() } },
      { claims: { iat: undefined } },
      { claims: { jti: undefined } },
      { header: { typ: 'JWT' } },
      { header: { jwk: privateJwk } },
      { header: { jwk: (await createKey()).publicJwk } },
      { ahead: -61_000 },
      { ahead: 60_000 },
      { key: await createKey('RS256') },
    ]) {
      const answer = await ask(fields, await prove(changes));
      expect([answer.status, errorOf(answer)], JSON.stringify(changes)).toEqual([400, 'invalid_dpop_proof']);
    }
    for (const ahead of [-10_000, 10_000]) {
      const answer = await ask({ grant_type: 'client_credentials' }, await prove({ ahead }));
      expect(answer.status).toBe(200);
    }
    expect((await ask(fields, await prove())).status).toBe(200);
  });

  test('counts a proof once, of a hundred at once (security-28)', async () => {
    const proof = await prove();
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => ask({ grant_type: 'client_credentials' }, proof)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const losers = answers.filter(({ status }) => status !== 200);
    expect(new Set(losers.map(errorOf))).toEqual(new Set(['invalid_dpop_proof']));
  });

  test('gives a code to the key that it was asked for with (RFC 9449, 10; security-28)', async () => {
    const fields = codeFields(await issueCode({ dpop_jkt: jkt }));
    expect(errorOf(await ask(fields))).toBe('invalid_grant');
    expect(errorOf(await ask(fields, await prove({ key: await createKey() })))).toBe('invalid_grant');
    expect((await ask(fields, await prove())).json()).toMatchObject({ token_type: 'DPoP' });
    const { visitor } = place.world.admin;
    const wrong = createAuthorizationRequest(place.tessera.urls.origin, client, { dpop_jkt: 'short' });
    const answer = (await visitor.open(wrong.url)).location();
    expect(answer.searchParams.get('error')).toBe('invalid_request');
  });

  test('is asked for at every token request of an app whose tokens are bound (security-28)', async () => {
    const at = { teamId: place.world.team.id, issuer: place.tessera.urls.origin };
    const strict = await createKeyClient(place.world.call, at, { dpopBoundAccessTokens: true });
    const refused = await sendForm(tokenUrl(), {
      grant_type: 'client_credentials',
      ...(await assertionFields(strict)),
    });
    expect(refused.status).toBe(400);
    const bound = await sendForm(
      tokenUrl(),
      { grant_type: 'client_credentials', ...(await assertionFields(strict)) },
      { dpop: await prove() },
    );
    expect(bound.json()).toMatchObject({ token_type: 'DPoP' });
  });

  test('refreshes a confidential client’s tokens with any key of it, a public one’s with the one key', async () => {
    const tokens = (await ask(codeFields(await issueCode()), await prove())).json() as TokenAnswer;
    const newKey = await createKey();
    const fields = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    const refreshed = (await ask(fields, await prove({ key: newKey }))).json() as TokenAnswer;
    expect(refreshed.token_type).toBe('DPoP');
    const { access_token: token } = refreshed;
    expect((await userinfo(token, await proveToken(token))).status).toBe(401);
    expect((await userinfo(token, await proveToken(token, { key: newKey }))).status).toBe(200);

    const { call, team } = place.world;
    const open = await createApp(call, team.id, { name: `Open ${Math.random()}` });
    await call('apps.update', {
      params: { id: open.clientId },
      query: { teamId: team.id },
      body: { tokenEndpointAuthMethods: ['none'] },
    });
    const { code, request } = await issueCode({}, { ...client, clientId: open.clientId });
    const askOpen = (more: Record<string, string>, proof?: string) =>
      sendForm(tokenUrl(), { client_id: open.clientId, ...more }, proof === undefined ? {} : { dpop: proof });
    const redeem = { ...codeFields({ code, request }) };
    const first = await askOpen(redeem, await prove());
    expect([first.status, errorOf(first)]).toEqual([400, 'use_dpop_nonce']);
    const nonce = String(first.headers['dpop-nonce']);
    expect(first.headers['access-control-expose-headers']).toMatch(/DPoP-Nonce/);
    const stale = await askOpen(redeem, await prove({}, { nonce: 'made up' }));
    expect(errorOf(stale)).toBe('use_dpop_nonce');
    const openTokens = (await askOpen(redeem, await prove({}, { nonce }))).json() as TokenAnswer;
    expect(openTokens.token_type).toBe('DPoP');
    const refresh = { grant_type: 'refresh_token', refresh_token: openTokens.refresh_token };
    expect(errorOf(await askOpen(refresh))).toBe('invalid_grant');
    const foreign = await askOpen(refresh, await prove({ key: newKey }, { nonce }));
    expect(errorOf(foreign)).toBe('invalid_grant');
    // A wrong key has changed nothing.
    expect((await askOpen(refresh, await prove({}, { nonce }))).json()).toMatchObject({ token_type: 'DPoP' });
    const at = openTokens.access_token;
    const asked = await userinfo(at, await proveToken(at));
    expect([asked.status, asked.headers['www-authenticate']]).toEqual([
      401,
      expect.stringMatching(/use_dpop_nonce/),
    ]);
    expect(asked.headers['dpop-nonce']).toBe(nonce);
  });

  test('protects our own API alike (security-28)', async () => {
    const at = { teamId: place.world.team.id, issuer: place.tessera.urls.origin };
    const app = await createKeyClient(place.world.call, at, { permissions: ['user:read'] });
    const issued = await issueCode({ scope: 'openid user:read' }, app);
    const fields = { ...codeFields(issued), ...(await assertionFields(app)) };
    const answer = await sendForm(tokenUrl(), fields, { dpop: await prove() });
    const { access_token: accessToken } = answer.json() as TokenAnswer;
    const url = `${place.tessera.urls.api}/v2/user`;
    const call = async (proof?: string, scheme = 'DPoP', token = accessToken, query = '') =>
      send(url + query, {
        headers: {
          authorization: `${scheme} ${token}`,
          ...(proof === undefined ? {} : { dpop: proof }),
        },
      });
    const proveCall = (changes: Changes = {}) =>
      createProof(changes.key ?? key, { url, method: 'GET', accessToken }, changes);
    const used = await proveCall();
    expect((await call(used)).status).toBe(200);
    const wrong: Record<string, Answer> = {
      'as a bearer token': await call(undefined, 'Bearer'),
      'without a proof': await call(),
      'with a used proof': await call(used),
      'with another key': await call(await proveCall({ key: await createKey() })),
      'with a proof for another method': await call(await proveCall({ claims: { htm: 'POST' } })),
      'with a proof for another address': await call(await proveCall({ claims: { htu: userinfoUrl() } })),
      'an API token with a proof': await call(await proveCall(), 'DPoP', place.world.apiToken),
    };
    for (const [what, refused] of Object.entries(wrong)) {
      expect([refused.status, (refused.json() as { code: string }).code], what).toEqual([
        401,
        'unauthorized',
      ]);
    }
    expect(wrong['without a proof']?.headers['www-authenticate']).toMatch(/^DPoP error="/);
  });

  test('is announced in the metadata', async () => {
    const { app } = place.world;
    const metadata = (
      await send(`${place.tessera.urls.origin}/.well-known/openid-configuration`)
    ).json() as Record<string, unknown>;
    expect(metadata).toMatchObject({
      dpop_signing_alg_values_supported: ['ES256', 'PS256', 'EdDSA', 'Ed25519'],
      token_endpoint_auth_signing_alg_values_supported: ['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'],
      pushed_authorization_request_endpoint: `${place.tessera.urls.api}/login/oauth/par`,
      require_pushed_authorization_requests: false,
    });
    expect(metadata['token_endpoint_auth_methods_supported']).toEqual(
      expect.arrayContaining(['private_key_jwt', 'client_secret_jwt']),
    );
    // Any app may bind its tokens.
    const bound = await sendForm(
      tokenUrl(),
      { grant_type: 'client_credentials' },
      { ...basic(app), dpop: await prove() },
    );
    expect(bound.json()).toMatchObject({ token_type: 'DPoP' });
  });
});
