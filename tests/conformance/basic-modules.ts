import { allowInsecureRequests, ClientSecretBasic, ClientSecretPost } from 'openid-client';
import * as openid from 'openid-client';
import { decodeProtectedHeader, type JSONWebKeySet } from 'jose';
import { expect } from 'vitest';
import { findText } from '../harness/html.ts';
import { send, sendForm, type Answer } from '../harness/send.ts';
import { createVisitor } from '../harness/visitor.ts';
import type { DefineModule } from './plan.ts';
import { codeOf, expectError, type Suite } from './suite.ts';

const errorOf = (answer: Answer): string => (answer.json() as { error: string }).error;

/** The 38 modules of the Basic OP and Form Post Basic OP plans, which differ in how answers come back alone. */
export function defineBasicModules(module: DefineModule): void {
  defineTokens(module);
  defineClaims(module);
  defineParameters(module);
  defineLogin(module);
  defineCodes(module);
}

function defineTokens(module: DefineModule): void {
  module('oidcc-server', async (suite) => {
    const { claims, authorization, tokens } = await suite.signIn({}, createVisitor());
    expect(authorization.pages).toContain('login');
    expect(claims['nonce']).toBe(authorization.nonce);
    expect(claims['auth_time']).toBeTypeOf('number');
    const userinfo = (await suite.userinfo(tokens.access_token)).json() as { sub: string };
    expect(userinfo.sub).toBe(claims.sub);
    // And again with a library that checks all that it knows of.
    await signInByLibrary(suite, ClientSecretBasic(suite.first.clientSecret));
  });

  module('oidcc-server-client-secret-post', async (suite) => {
    const code = codeOf(suite, await suite.authorize());
    const answer = await sendForm(suite.metadata.token_endpoint, {
      grant_type: 'authorization_code',
      code,
      redirect_uri: suite.first.redirectUri,
      client_id: suite.first.clientId,
      client_secret: suite.first.clientSecret,
    });
    expect(answer.status, answer.text).toBe(200);
    await signInByLibrary(suite, ClientSecretPost(suite.first.clientSecret));
  });

  module('oidcc-idtoken-signature', async (suite) => {
    const { tokens } = await suite.signIn();
    const { keys } = (await send(suite.metadata.jwks_uri)).json() as JSONWebKeySet;
    const { alg, kid } = decodeProtectedHeader(tokens.id_token);
    expect(alg).toBe('RS256');
    expect(keys.filter((key) => key.kid === kid)).toMatchObject([{ kty: 'RSA', use: 'sig' }]);
  });

  module('oidcc-idtoken-unsigned', async (suite) => {
    // The suite asks only a server that promises it: ours never does, and nobody can register for it.
    expect(suite.metadata['id_token_signing_alg_values_supported']).not.toContain('none');
    const { call, team } = suite.world;
    await expect(
      call('apps.update', {
        params: { id: suite.second.clientId },
        query: { teamId: team.id },
        body: { idTokenSignedResponseAlg: 'none' as 'RS256' },
      }),
    ).rejects.toThrow('idTokenSignedResponseAlg');
  });

  module('oidcc-userinfo-get', async (suite) => {
    const { tokens, claims } = await suite.signIn();
    const answer = await suite.userinfo(tokens.access_token);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(answer.json()).toMatchObject({ sub: claims.sub });
  });

  module('oidcc-userinfo-post-header', async (suite) => {
    const { tokens, claims } = await suite.signIn();
    expect((await suite.userinfo(tokens.access_token, 'POST')).json()).toMatchObject({ sub: claims.sub });
  });

  module('oidcc-userinfo-post-body', async (suite) => {
    const { tokens, claims } = await suite.signIn();
    const answer = await sendForm(suite.metadata.userinfo_endpoint, { access_token: tokens.access_token });
    expect(answer.json()).toMatchObject({ sub: claims.sub });
  });

  module('oidcc-refresh-token', async (suite) => {
    const first = await suite.signIn({ scope: 'openid offline_access', prompt: 'consent' });
    expect(first.authorization.pages).toEqual(['consent']);
    const { refresh_token: refreshToken = '' } = first.tokens;
    suite.advance(2_000);
    const answer = await suite.refresh(refreshToken);
    expect(answer.status, answer.text).toBe(200);
    const second = answer.json() as typeof first.tokens;
    expect(second.access_token).not.toBe(first.tokens.access_token);
    const claims = await suite.verifyIdToken(second.id_token);
    const { iss, sub, aud, auth_time: authTime } = first.claims;
    expect(claims).toMatchObject({ iss, sub, aud, auth_time: authTime });
    expect(claims.iat).toBeGreaterThanOrEqual(first.claims.iat ?? Infinity);
    expect((await suite.userinfo(second.access_token)).json()).toMatchObject({ sub });
    // Bound to the client that it was issued to.
    const stolen = await suite.refresh(second.refresh_token ?? '', suite.second);
    expect(stolen.status).toBe(400);
    expect(errorOf(stolen)).toBe('invalid_grant');
  });
}

function defineClaims(module: DefineModule): void {
  const scopes = {
    profile: { name: 'Ada Lovelace', preferred_username: 'ada', updated_at: expect.any(Number) as number },
    email: { email: 'ada@acme.example', email_verified: expect.any(Boolean) as boolean },
    // Nothing of these is kept about anybody, and the metadata does not promise them.
    address: {},
    phone: {},
  };
  for (const [scope, expected] of Object.entries(scopes)) {
    module(`oidcc-scope-${scope}`, async (suite) => {
      const promised = suite.metadata.scopes_supported.includes(scope);
      expect(promised).toBe(Object.keys(expected).length > 0);
      const { tokens, claims } = await suite.signIn({ scope: `openid ${scope}` });
      const userinfo = (await suite.userinfo(tokens.access_token)).json();
      expect(userinfo).toEqual({ sub: claims.sub, ...expected });
    });
  }

  module('oidcc-scope-all', async (suite) => {
    const { tokens, claims } = await suite.signIn({ scope: 'openid profile email address phone' });
    const userinfo = (await suite.userinfo(tokens.access_token)).json();
    expect(userinfo).toEqual({ sub: claims.sub, ...scopes.profile, ...scopes.email });
    expect(tokens.scope.split(' ').toSorted()).toEqual(['email', 'openid', 'profile']);
  });

  module('oidcc-claims-essential', async (suite) => {
    const request = { userinfo: { name: { essential: true } } };
    const { tokens } = await suite.signIn({ claims: JSON.stringify(request) });
    const { claims_parameter_supported: isSupported } = suite.metadata;
    const userinfo = (await suite.userinfo(tokens.access_token)).json() as Record<string, unknown>;
    expect('name' in userinfo, 'what the metadata says').toBe(isSupported);
  });
}

function defineParameters(module: DefineModule): void {
  /** Modules in which a further parameter must not keep the sign-in from succeeding. */
  const harmless: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'oidcc-display-page': { display: 'page' },
    'oidcc-display-popup': { display: 'popup' },
    'oidcc-ensure-request-with-unknown-parameter-succeeds': { extra: 'foobar' },
    'oidcc-login-hint': { login_hint: 'ada@acme.example' },
    'oidcc-ui-locales': { ui_locales: 'se' },
    'oidcc-claims-locales': { claims_locales: 'se' },
    'oidcc-ensure-request-with-acr-values-succeeds': { acr_values: '1 2' },
  };
  for (const [name, parameters] of Object.entries(harmless)) {
    module(name, async (suite) => {
      const { authorization } = await suite.signIn(parameters, createVisitor());
      expect(authorization.pages).toContain('login');
    });
  }

  module('oidcc-response-type-missing', async (suite) => {
    const outcome = await suite.authorize({ response_type: undefined });
    expectError(suite, outcome, 'invalid_request');
    expect(outcome.parameters?.['error_description']).toBe("Parameter 'response_type'. Required");
  });

  module('oidcc-ensure-request-without-nonce-succeeds-for-code-flow', async (suite) => {
    const { claims } = await suite.signIn({ nonce: undefined });
    expect(claims).not.toHaveProperty('nonce');
  });

  module('oidcc-alternate-happy-flow', async (suite) => {
    const { state, nonce, parameters } = suite.request({ scope: 'email openid profile' });
    const url = new URL(suite.metadata.authorization_endpoint);
    url.search = new URLSearchParams(parameters.toReversed()).toString();
    const visitor = createVisitor();
    const { redirectUri } = suite.first;
    const place = { state, nonce, visitor, redirectUri };
    const { claims } = await suite.finish(await suite.passPages(await visitor.open(url), place));
    expect(claims).toMatchObject({ nonce, email: 'ada@acme.example' });
  });

  module('oidcc-ensure-registered-redirect-uri', async (suite) => {
    const url = new URL(suite.metadata.authorization_endpoint);
    const redirectUri = `${suite.first.redirectUri}/${Math.random()}`;
    url.search = new URLSearchParams(suite.request({ redirect_uri: redirectUri }).parameters).toString();
    const answer = await createVisitor().open(url);
    expect(answer.status).toBe(400);
    expect(answer.headers.location).toBeUndefined();
    expect(findText(answer.text, 'error-code')).toBe('redirect_uri_not_registered');
  });

  module('oidcc-ensure-post-request-succeeds', async (suite) => {
    const { state, nonce, parameters } = suite.request();
    const visitor = createVisitor();
    // From another site: no cookie comes with it.
    const answer = await send(suite.metadata.authorization_endpoint, {
      method: 'POST',
      body: new URLSearchParams(parameters).toString(),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        origin: 'https://client.example',
        'sec-fetch-site': 'cross-site',
      },
    });
    const { redirectUri } = suite.first;
    const outcome = await suite.passPages(answer, { state, nonce, visitor, redirectUri });
    expect(outcome.pages).toContain('login');
    expect((await suite.finish(outcome)).claims['nonce']).toBe(nonce);
  });

  module('oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported', async (suite) => {
    expect(suite.metadata['request_uri_parameter_supported']).toBe(false);
    const outcome = await suite.authorize({ request_uri: 'https://client.example/request.jwt' });
    expectError(suite, outcome, 'request_uri_not_supported');
  });

  const unsigned = (claims: Record<string, unknown>): string =>
    [{ alg: 'none' }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.') + '.';

  module('oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported', async (suite) => {
    // Absent means supported no less than absent means not: the suite reads `false` (Core 3.1.2.6).
    expect(suite.metadata['request_parameter_supported'] ?? false).toBe(false);
    const { parameters, state } = suite.request();
    const request = unsigned({ ...Object.fromEntries(parameters), state });
    expectError(suite, await suite.authorize({ request }), 'request_not_supported');
  });

  module('oidcc-ensure-request-object-with-redirect-uri', async (suite) => {
    // The suite asks only a server that takes request objects; one that does not says so and nothing else.
    const request = unsigned({ redirect_uri: suite.first.redirectUri });
    expectError(suite, await suite.authorize({ request }), 'request_not_supported');
    const url = new URL(suite.metadata.authorization_endpoint);
    const { parameters } = suite.request({ request, redirect_uri: 'https://evil.example/callback' });
    url.search = new URLSearchParams(parameters).toString();
    const answer = await createVisitor().open(url);
    expect(answer.status).toBe(400);
    expect(answer.headers.location).toBeUndefined();
  });

  module('oidcc-ensure-request-with-valid-pkce-succeeds', async (suite) => {
    const codeVerifier = openid.randomPKCECodeVerifier();
    const outcome = await suite.authorize({
      code_challenge: await openid.calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: 'S256',
    });
    const { claims } = await suite.finish(outcome, { code_verifier: codeVerifier });
    expect(claims['nonce']).toBe(outcome.nonce);
  });
}

function defineLogin(module: DefineModule): void {
  module('oidcc-prompt-login', async (suite) => {
    const visitor = createVisitor();
    const first = await suite.signIn({}, visitor);
    suite.advance(2_000);
    const second = await suite.signIn({ prompt: 'login' }, visitor);
    expect(second.authorization.pages).toEqual(['login']);
    expect(second.claims.sub).toBe(first.claims.sub);
    expect(Number(second.claims['auth_time'])).toBeGreaterThan(Number(first.claims['auth_time']));
  });

  module('oidcc-prompt-none-not-logged-in', async (suite) => {
    const outcome = await suite.authorize({ prompt: 'none' }, createVisitor());
    expectError(suite, outcome, 'login_required');
    expect(outcome.pages).toEqual([]);
  });

  module('oidcc-prompt-none-logged-in', async (suite) => {
    const visitor = createVisitor();
    const first = await suite.signIn({}, visitor);
    suite.advance(2_000);
    const second = await suite.signIn({ prompt: 'none' }, visitor);
    expect(second.authorization.pages).toEqual([]);
    expect(second.claims).toMatchObject({ sub: first.claims.sub, auth_time: first.claims['auth_time'] });
  });

  module('oidcc-max-age-1', async (suite) => {
    const visitor = createVisitor();
    const first = await suite.signIn({}, visitor);
    suite.advance(2_000);
    const second = await suite.signIn({ max_age: '1' }, visitor);
    expect(second.authorization.pages).toEqual(['login']);
    expect(Number(second.claims['auth_time'])).toBeGreaterThan(Number(first.claims['auth_time']));
    expect(Number(second.claims.iat) - Number(second.claims['auth_time'])).toBeLessThanOrEqual(2);
  });

  module('oidcc-max-age-10000', async (suite) => {
    const visitor = createVisitor();
    const first = await suite.signIn({}, visitor);
    suite.advance(2_000);
    const second = await suite.signIn({ max_age: '10000' }, visitor);
    expect(second.authorization.pages).toEqual([]);
    expect(second.claims).toMatchObject({ sub: first.claims.sub, auth_time: first.claims['auth_time'] });
  });

  module('oidcc-id-token-hint', async (suite) => {
    const visitor = createVisitor();
    const first = await suite.signIn({}, visitor);
    const second = await suite.signIn({ prompt: 'none', id_token_hint: first.tokens.id_token }, visitor);
    expect(second.authorization.pages).toEqual([]);
    expect(second.claims.sub).toBe(first.claims.sub);
  });
}

function defineCodes(module: DefineModule): void {
  const reuseAfter = async (suite: Suite, milliseconds: number) => {
    const code = codeOf(suite, await suite.authorize());
    const first = await suite.redeem(code);
    expect(first.status).toBe(200);
    suite.advance(milliseconds);
    const second = await suite.redeem(code);
    expect(second.status).toBe(400);
    expect(errorOf(second)).toBe('invalid_grant');
    // All that the first use gave is dead with it (RFC 6749, 4.1.2).
    const { access_token: token } = first.json() as { access_token: string };
    expect((await suite.userinfo(token)).status).toBe(401);
  };
  module('oidcc-codereuse', (suite) => reuseAfter(suite, 0));
  module('oidcc-codereuse-30seconds', (suite) => reuseAfter(suite, 30_000));
}

/** A sign-in, userinfo and all, by `openid-client` as it is. */
async function signInByLibrary(suite: Suite, authentication: openid.ClientAuth): Promise<void> {
  const { metadata, first } = suite;
  const configuration = await openid.discovery(
    new URL(metadata.issuer),
    first.clientId,
    // The clock of the instance is ahead of the machine's by what the tests moved it.
    { [openid.clockSkew]: Math.round(suite.aheadMilliseconds / 1000) },
    authentication,
    {
      execute: [allowInsecureRequests],
    },
  );
  const { parameters, state, nonce } = suite.request();
  const url = openid.buildAuthorizationUrl(configuration, new URLSearchParams(parameters));
  const { loggedIn: visitor } = suite;
  const { redirectUri } = first;
  const outcome = await suite.passPages(await visitor.open(url), { state, nonce, visitor, redirectUri });
  const answer = new URL(redirectUri);
  answer.search = new URLSearchParams(outcome.parameters).toString();
  const tokens = await openid.authorizationCodeGrant(configuration, answer, {
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  });
  const { sub } = tokens.claims() ?? { sub: '' };
  expect(await openid.fetchUserInfo(configuration, tokens.access_token, sub)).toMatchObject({ sub });
}
