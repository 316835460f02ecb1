import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logIn } from '../harness/front-door.ts';
import { findText } from '../harness/html.ts';
import { lookInto } from '../harness/look-into.ts';
import { send, sendForm, type Answer } from '../harness/send.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { createAuthorizationRequest, passSignInPages } from '../harness/sign-in.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor } from '../harness/visitor.ts';

type Registered = Record<string, unknown> & {
  client_id: string;
  client_secret?: string;
  registration_access_token: string;
  registration_client_uri: string;
};

const callback = 'https://client.example/callback';
const minimum = { redirect_uris: [callback] };
const day = 24 * 3_600_000;

describe.each(databaseKinds)('dynamic registration, on %s', (kind) => {
  let tessera: RunningTessera;
  let world: SignInWorld;
  let sectors: Server;
  let sectorBase: string;

  beforeAll(async () => {
    tessera = await startTessera(kind, {
      variables: {
        TESSERA_DYNAMIC_REGISTRATION: 'on',
        TESSERA_REGISTRATION_QUOTA: '40',
        TESSERA_TRUST_PROXY: '127.0.0.1',
      },
    });
    world = await createSignInWorld(tessera.urls, tessera.setUpLink);
    sectors = createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(request.url === '/good' ? [callback] : ['https://other.example/cb']));
    });
    await new Promise<void>((resolve) => sectors.listen(0, '127.0.0.1', resolve));
    sectorBase = `http://127.0.0.1:${(sectors.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    sectors?.close();
    await tessera?.close();
  });

  let address = 0;
  /** Each from a network of its own, as far as the limits are concerned. */
  const register = (metadata: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    send(`${tessera.urls.api}/login/oauth/register`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-forwarded-for': `203.0.113.${(address += 1)}`,
        ...headers,
      },
      body: JSON.stringify(metadata),
    });
  async function registered(metadata: object = minimum): Promise<Registered> {
    const answer = await register(metadata);
    expect(answer.status, answer.text).toBe(201);
    return answer.json() as Registered;
  }
  const manage = (
    client: Registered,
    method = 'GET',
    body?: unknown,
    token = client.registration_access_token,
  ) =>
    send(client.registration_client_uri, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });

  test('is promised in the metadata document, and answers as RFC 7591 says', async () => {
    const discovery = await send(`${tessera.urls.origin}/.well-known/openid-configuration`);
    expect(discovery.json()).toMatchObject({
      registration_endpoint: `${tessera.urls.api}/login/oauth/register`,
    });
    const answer = await register({
      ...minimum,
      client_name: 'Weather\u202Esecret',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      client_uri: 'https://client.example',
      unknown_member: { deep: true },
    });
    expect(answer.status).toBe(201);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    const client = answer.json() as Registered;
    expect(client).toMatchObject({
      client_id: expect.stringMatching(/^cl_/),
      client_secret: expect.stringMatching(/^vcs_/),
      client_name: 'Weathersecret',
      redirect_uris: [callback],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      scope: 'openid profile email offline_access',
      token_endpoint_auth_method: 'client_secret_basic',
      id_token_signed_response_alg: 'RS256',
      client_uri: 'https://client.example',
      registration_client_uri: `${tessera.urls.api}/login/oauth/register/${client.client_id}`,
    });
    expect(client).not.toHaveProperty('unknown_member');
    expect(Number(client['client_secret_expires_at']) * 1000 - Date.now()).toBeGreaterThan(89 * day);
  });

  test.each([
    ['no redirect_uris', {}, 'invalid_redirect_uri'],
    ['an empty list', { redirect_uris: [] }, 'invalid_redirect_uri'],
    ['plain http', { redirect_uris: ['http://client.example/cb'] }, 'invalid_redirect_uri'],
    ['a fragment', { redirect_uris: [`${callback}#x`] }, 'invalid_redirect_uri'],
    ['a wildcard', { redirect_uris: ['https://*.client.example/cb'] }, 'invalid_redirect_uri'],
    ['a user name', { redirect_uris: ['https://a@client.example/cb'] }, 'invalid_redirect_uri'],
    ['dot segments', { redirect_uris: ['https://client.example/a/../cb'] }, 'invalid_redirect_uri'],
    ['a backslash', { redirect_uris: ['https://client.example\\@evil.example/'] }, 'invalid_redirect_uri'],
    ['a script', { redirect_uris: ['javascript:alert(1)'] }, 'invalid_redirect_uri'],
    ['a scheme without a dot', { redirect_uris: ['myapp:/cb'] }, 'invalid_redirect_uri'],
    ...['client_uri', 'logo_uri', 'policy_uri', 'tos_uri', 'jwks_uri', 'backchannel_logout_uri'].flatMap(
      (name) =>
        [
          'javascript:alert(1)',
          'data:text/html,x',
          'blob:https://a.example/1',
          'vbscript:x',
          'file:///etc/passwd',
        ].map((uri) => [`${name} ${uri}`, { ...minimum, [name]: uri }, 'invalid_client_metadata'] as const),
    ),
    ['a pairwise subject', { ...minimum, subject_type: 'pairwise' }, 'invalid_client_metadata'],
    ['an implicit client', { ...minimum, response_types: ['id_token'] }, 'invalid_client_metadata'],
    ['no code grant', { ...minimum, grant_types: ['implicit'] }, 'invalid_client_metadata'],
    ['unsigned ID tokens', { ...minimum, id_token_signed_response_alg: 'none' }, 'invalid_client_metadata'],
    ['encryption', { ...minimum, id_token_encrypted_response_alg: 'RSA-OAEP' }, 'invalid_client_metadata'],
    [
      'a key with its private part',
      {
        ...minimum,
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' }] },
      },
      'invalid_client_metadata',
    ],
    [
      'keys twice',
      { ...minimum, jwks: { keys: [{ kty: 'EC' }] }, jwks_uri: 'https://client.example/jwks' },
      'invalid_client_metadata',
    ],
    [
      'a public client without PKCE',
      { ...minimum, token_endpoint_auth_method: 'none', require_pkce: false },
      'invalid_client_metadata',
    ],
    ['a number for a name', { ...minimum, client_name: 1 }, 'invalid_client_metadata'],
    ['an array', [], 'invalid_client_metadata'],
  ] as const)('refuses %s (security-47, security-48, security-49)', async (_name, metadata, error) => {
    const answer = await register(metadata);
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ error, error_description: expect.any(String) });
  });

  test('verifies a sector by the guarded fetcher (security-52)', async () => {
    const { sector_identifier_uri: uri } = await registered({
      ...minimum,
      sector_identifier_uri: `${sectorBase}/good`,
    });
    expect(uri).toBe(`${sectorBase}/good`);
    for (const bad of [`${sectorBase}/bad`, 'https://169.254.169.254/latest', 'https://10.0.0.1/x']) {
      const answer = await register({ ...minimum, sector_identifier_uri: bad });
      expect(answer.json()).toMatchObject({ error: 'invalid_client_metadata' });
    }
  });

  test('a registration is read, replaced and ended with its own token alone (security-50)', async () => {
    const client = await registered({ ...minimum, client_name: 'One' });
    const other = await registered();
    for (const token of [other.registration_access_token, client.client_secret ?? '', 'vcg_nothing']) {
      const refused = await manage(client, 'GET', undefined, token);
      expect(refused.status).toBe(401);
      expect(refused.headers['www-authenticate']).toMatch(/^Bearer .*error="invalid_token"/);
    }
    const read = await manage(client);
    expect(read.status).toBe(200);
    expect(read.json()).toMatchObject({ client_id: client.client_id, client_name: 'One' });
    expect(read.json()).not.toHaveProperty('client_secret');

    const wrong = await manage(client, 'PUT', { ...minimum, client_id: other.client_id });
    expect(wrong.json()).toMatchObject({ error: 'invalid_client_metadata' });
    const own = await manage(client, 'PUT', { ...(read.json() as object) });
    expect(own.json()).toMatchObject({ error: 'invalid_client_metadata' });

    const replaced = await manage(client, 'PUT', {
      client_id: client.client_id,
      redirect_uris: ['https://client.example/other'],
      token_endpoint_auth_method: 'none',
    });
    expect(replaced.status, replaced.text).toBe(200);
    expect(replaced.json()).toMatchObject({
      client_name: 'client.example',
      redirect_uris: ['https://client.example/other'],
      token_endpoint_auth_method: 'none',
    });
    expect(replaced.json()).not.toHaveProperty('client_secret');
    const secret = await manage(client, 'PUT', { ...minimum, client_id: client.client_id });
    expect((secret.json() as Registered).client_secret).toMatch(/^vcs_/);

    expect((await manage(client, 'DELETE')).status).toBe(204);
    expect((await manage(client)).status).toBe(401);
    const request = createAuthorizationRequest(tessera.urls.origin, {
      clientId: client.client_id,
      redirectUri: callback,
    });
    expect((await send(request.url)).text).toContain('client_unknown');
  });

  test('stores no registration token that could be presented (security-50, security-101d)', async () => {
    const client = await registered();
    const tables = ['apps', 'appSecrets', 'appRegistrations', 'auditRecords'];
    const rows = JSON.stringify(
      await Promise.all(tables.map((table) => lookInto(tessera.database, `select * from "${table}"`))),
    );
    expect(rows).toContain(client.client_id);
    expect(rows).not.toContain(client.registration_access_token);
    expect(rows).not.toContain(client.client_secret);
  });

  test('a registration ends by itself, and with it what it could do', async () => {
    const client = await registered();
    const basic = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64');
    const ask = () =>
      sendForm(
        `${tessera.urls.api}/login/oauth/token/introspect`,
        { token: 'vca_x' },
        { authorization: `Basic ${basic}` },
      );
    expect((await ask()).status).toBe(200);
    tessera.advance(91 * day);
    expect((await ask()).status).toBe(401);
    expect((await manage(client)).status).toBe(401);
  });

  test('access tokens end with the registration, however new they are', async () => {
    const client = await registered({ ...minimum, token_endpoint_auth_method: 'client_secret_post' });
    tessera.advance(90 * day - 60_000);
    const visitor = createVisitor();
    const { url, codeVerifier } = createAuthorizationRequest(tessera.urls.origin, {
      clientId: client.client_id,
      redirectUri: callback,
    });
    const code = (await passSignInPages(visitor, url, world.admin)).searchParams.get('code') ?? '';
    const redeemed = await sendForm(`${tessera.urls.api}/login/oauth/token`, {
      grant_type: 'authorization_code',
      client_id: client.client_id,
      client_secret: client.client_secret ?? '',
      redirect_uri: callback,
      code_verifier: codeVerifier,
      code,
    });
    const { access_token: token } = redeemed.json() as { access_token: string };
    const ask = () =>
      send(`${tessera.urls.api}/login/oauth/userinfo`, { headers: { authorization: `Bearer ${token}` } });
    expect((await ask()).status).toBe(200);
    tessera.advance(61_000);
    expect((await ask()).status).toBe(401);
  });

  test('signs in, with consent asked for each time, marked as not verified (security-50, security-80)', async () => {
    const client = await registered({
      ...minimum,
      client_name: 'Not Ours',
      policy_uri: 'https://client.example/privacy',
    });
    const app = { clientId: client.client_id, redirectUri: callback };
    const admin = world.admin;
    // Their session ended with the time that went by above.
    await passSignInPages(
      admin.visitor,
      createAuthorizationRequest(tessera.urls.origin, world.app).url,
      admin,
    );
    for (let round = 0; round < 2; round++) {
      const request = createAuthorizationRequest(tessera.urls.origin, app, {
        scope: 'openid profile email',
      });
      const page = await admin.visitor.visit(request.url, (url) => url.href.startsWith(callback));
      expect(page.text).toContain('id="consent"');
      expect(page.text).toContain('Not verified');
      expect(page.text).toContain('https://client.example/privacy');
      expect(page.text).not.toContain('href="https://client.example');
      const answer = await passSignInPages(admin.visitor, request.url, admin);
      const basic = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64');
      const tokens = await sendForm(
        `${tessera.urls.api}/login/oauth/token`,
        {
          grant_type: 'authorization_code',
          code: answer.searchParams.get('code') ?? '',
          redirect_uri: callback,
          code_verifier: request.codeVerifier,
        },
        { authorization: `Basic ${basic}` },
      );
      expect(tokens.status, tokens.text).toBe(200);
      const again = await admin.visitor.visit(request.url, (url) => url.href.startsWith(callback));
      expect(again.text).toContain('id="consent"');
    }
  });

  test('errors reach the app only after login (security-7)', async () => {
    const client = await registered();
    const app = { clientId: client.client_id, redirectUri: callback };
    const isCallback = (url: URL) => url.href.startsWith(callback);
    for (const wrong of [{ response_type: 'token' }, { code_challenge: undefined }, { prompt: 'never' }]) {
      const visitor = createVisitor();
      const request = createAuthorizationRequest(tessera.urls.origin, app, wrong);
      const page = await visitor.visit(request.url, isCallback);
      expect(page.text).toContain('id="login"');
      const answer = await visitor.follow(await logIn(visitor, page, world.admin), isCallback);
      expect(answer.location().searchParams.get('error')).toMatch(
        /^(unsupported_response_type|invalid_request)$/,
      );
      expect(answer.location().searchParams.get('state')).toBe(request.state);
    }
    const silent = createAuthorizationRequest(tessera.urls.origin, app, { prompt: 'none' });
    const stranger = await createVisitor().visit(silent.url, isCallback);
    expect(stranger.status).toBe(400);
    expect(findText(stranger.text, 'error-code')).toBe('sign_in_not_silent');
    const known = await world.admin.visitor.visit(silent.url, isCallback);
    expect(known.location().searchParams.get('error')).toBe('consent_required');
  });

  test('of registrations at once, no more succeed than the quota has room for', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => register(minimum)));
    const statuses = new Set(answers.map(({ status }) => status));
    expect(statuses).toEqual(new Set([201, 429]));
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.headers['retry-after']).toBeDefined();
    expect(refused?.json()).toMatchObject({ error: 'temporarily_unavailable' });
    tessera.advance(91 * day);
    expect((await register(minimum)).status).toBe(201);
  });

  test('one network cannot fill the quota', async () => {
    const headers = { 'x-forwarded-for': '198.51.100.7' };
    const statuses: number[] = [];
    for (let round = 0; round < 32; round++) statuses.push((await register({}, headers)).status);
    expect(statuses.slice(0, 30)).toEqual(Array(30).fill(400));
    expect(statuses.slice(30)).toEqual([429, 429]);
  });
});

describe.each(databaseKinds)('registration behind its switches, on %s', (kind) => {
  test('does not exist unless it is switched on (security-50)', async () => {
    const tessera = await startTessera(kind);
    try {
      const answer = await send(`${tessera.urls.api}/login/oauth/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(minimum),
      });
      expect(answer.status).toBe(404);
      const discovery = await send(`${tessera.urls.origin}/.well-known/openid-configuration`);
      expect(discovery.json()).not.toHaveProperty('registration_endpoint');
    } finally {
      await tessera.close();
    }
  });

  test('takes an initial access token where one is set', async () => {
    const token = 'initial-access-token-of-this-test-0123456789';
    const tessera = await startTessera(kind, {
      variables: { TESSERA_DYNAMIC_REGISTRATION: 'on', TESSERA_REGISTRATION_TOKEN: token },
    });
    try {
      const register = (headers: Record<string, string>) =>
        send(`${tessera.urls.api}/login/oauth/register`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify(minimum),
        });
      expect((await register({})).status).toBe(401);
      expect((await register({ authorization: `Bearer ${token}x` })).status).toBe(401);
      expect((await register({ authorization: `Bearer ${token}` })).status).toBe(201);
    } finally {
      await tessera.close();
    }
  });
});
