import { expect } from 'vitest';
import * as openid from 'openid-client';
import { findForm, textOf } from '../harness/html.ts';
import { createVisitor } from '../harness/visitor.ts';
import { verifyDiscovery } from './discovery.ts';
import { createFapi, type DefineFapiModule, type Fapi } from './fapi2.ts';
import { defineProofModules } from './fapi2-proofs.ts';
import { defineRequestModules } from './fapi2-requests.ts';
import { defineTokenModules } from './fapi2-tokens.ts';
import { describePlan, type DefineModule } from './plan.ts';
import { plans } from './plans.ts';
import { expectError } from './suite.ts';

describePlan(plans.fapi2SecurityProfile, 'sqlite', (module) => {
  const define = forClients(module);
  defineFlowModules(define);
  defineRequestModules(define);
  defineProofModules(define);
  defineTokenModules(define);
});

/** The names without their common beginning, and one pair of clients for all. */
function forClients(module: DefineModule): DefineFapiModule {
  let clients: Promise<Fapi> | undefined;
  return (name, run) =>
    module(`fapi2-security-profile-final-${name}`, async (suite) => {
      clients ??= createFapi(suite);
      await run(await clients);
    });
}

function defineFlowModules(define: DefineFapiModule): void {
  define('discovery-end-point-verification', async ({ metadata }) => {
    await verifyDiscovery(metadata.issuer);
    expect(metadata['response_types_supported']).toContain('code');
    expect(metadata.pushed_authorization_request_endpoint).toMatch(/^http/);
    expect(metadata['require_pushed_authorization_requests'] ?? false).toBeTypeOf('boolean');
    expect(metadata['token_endpoint_auth_methods_supported']).toContain('private_key_jwt');
    expect(metadata['token_endpoint_auth_signing_alg_values_supported']).toEqual(
      expect.arrayContaining(['PS256', 'ES256']),
    );
    expect(metadata['dpop_signing_alg_values_supported']).toEqual(expect.arrayContaining(['PS256', 'ES256']));
    expect(metadata['dpop_signing_alg_values_supported']).not.toContain('RS256');
  });

  define('happy-flow', async (fapi) => {
    for (const client of [fapi.first, fapi.second]) {
      const { tokens, claims, nonce, requestUri, answer } = await fapi.signIn({}, { client });
      expect(answer.headers['cache-control']).toContain('no-store');
      expect(answer.json()).toMatchObject({ expires_in: expect.any(Number) as number });
      expect(requestUri).toMatch(/^urn:ietf:params:oauth:request_uri:/);
      expect(claims['nonce']).toBe(nonce);
      const userinfo = await fapi.userinfo(tokens.access_token, { client });
      expect(userinfo.status, userinfo.text).toBe(200);
      expect(userinfo.json()).toMatchObject({ sub: claims.sub });
      // A token is worth nothing with the key of another client.
      const other = client === fapi.first ? fapi.second : fapi.first;
      expect((await fapi.userinfo(tokens.access_token, { client: other })).status).toBe(401);
    }
    await signInByLibrary(fapi);
  });

  define('user-rejects-authentication', async (fapi) => {
    const pushed = await fapi.push({ prompt: 'consent' });
    const { loggedIn: visitor } = fapi.suite;
    const page = await visitor.visit(fapi.authorizationUrl(pushed.requestUri));
    expect(findForm(page.text, 'consent', page.url).method, textOf(page.text)).toBe('POST');
    const { redirectUri } = fapi.first;
    const { state, nonce } = pushed;
    const outcome = await fapi.suite.passPages(await visitor.submit(page, 'consent', {}, 'consent-cancel'), {
      state,
      nonce,
      visitor,
      redirectUri,
    });
    expectError(fapi.suite, outcome, 'access_denied');
  });

  define('ensure-authorization-request-without-state-success', async (fapi) => {
    const pushed = await fapi.push({ state: undefined });
    const { parameters } = await fapi.open(pushed);
    expect(parameters).toMatchObject({ code: expect.any(String) as string, iss: fapi.metadata.issuer });
    expect(parameters).not.toHaveProperty('state');
    const answer = await fapi.redeem({ code: parameters?.['code'] ?? '', codeVerifier: pushed.codeVerifier });
    expect(answer.status, answer.text).toBe(200);
  });

  define('ensure-authorization-request-without-nonce-success', async (fapi) => {
    const { claims } = await fapi.signIn({ nonce: undefined });
    expect(claims).not.toHaveProperty('nonce');
  });

  define('ensure-authorization-request-with-64-char-nonce-success', async (fapi) => {
    const nonce = 'n'.repeat(64);
    const { claims } = await fapi.signIn({ nonce });
    expect(claims['nonce']).toBe(nonce);
  });

  define('ensure-other-scope-order-succeeds', async (fapi) => {
    const { tokens } = await fapi.signIn({ scope: 'email openid profile' });
    expect(tokens.scope.split(' ').toSorted()).toEqual(['email', 'openid', 'profile']);
  });

  define('test-claims-parameter-identity-claims', async (fapi) => {
    const supported = ['name', 'preferred_username', 'email', 'email_verified', 'updated_at'];
    const asked = {
      ...Object.fromEntries(
        supported.map((name, index) => [name, index % 2 === 0 ? null : { essential: true }]),
      ),
      'urn:example:unknown': null,
    };
    const { tokens, claims } = await fapi.signIn({
      claims: JSON.stringify({ id_token: asked, userinfo: asked }),
    });
    const answer = await fapi.userinfo(tokens.access_token);
    expect(answer.status).toBe(200);
    const userinfo = answer.json() as Record<string, unknown>;
    expect(userinfo['sub']).toBe(claims.sub);
    // The suite asks only a server that says so.
    const isSupported = fapi.metadata['claims_parameter_supported'] === true;
    expect(supported.filter((name) => name in userinfo && name in claims)).toEqual(
      isSupported ? supported : [],
    );
    expect(userinfo).not.toHaveProperty('urn:example:unknown');
  });

  define('access-token-type-header-case-sensitivity', async (fapi) => {
    const { tokens } = await fapi.signIn();
    for (const scheme of ['DPoP', 'dpop', 'DPOP', 'dPoP']) {
      expect((await fapi.userinfo(tokens.access_token, { scheme })).status, scheme).toBe(200);
    }
  });
}

/** A sign-in by `openid-client` as it is: private_key_jwt, a pushed request, PKCE and DPoP. */
async function signInByLibrary({ metadata, first, suite }: Fapi): Promise<void> {
  const configuration = await openid.discovery(
    new URL(metadata.issuer),
    first.clientId,
    // The clock of the instance is ahead of the machine's by what the tests moved it.
    { [openid.clockSkew]: Math.round(suite.aheadMilliseconds / 1000) },
    openid.PrivateKeyJwt(first.key.privateKey),
    { execute: [openid.allowInsecureRequests] },
  );
  const { privateKey, publicKey } = await openid.randomDPoPKeyPair('ES256');
  const DPoP = openid.getDPoPHandle(configuration, { privateKey, publicKey });
  const codeVerifier = openid.randomPKCECodeVerifier();
  const [state, nonce] = [openid.randomState(), openid.randomNonce()];
  const url = await openid.buildAuthorizationUrlWithPAR(
    configuration,
    {
      redirect_uri: first.redirectUri,
      scope: 'openid profile offline_access',
      state,
      nonce,
      prompt: 'consent',
      code_challenge: await openid.calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: 'S256',
    },
    { DPoP },
  );
  const visitor = createVisitor();
  const { redirectUri } = first;
  const outcome = await suite.passPages(await visitor.open(url), { state, nonce, visitor, redirectUri });
  const answer = new URL(redirectUri);
  answer.search = new URLSearchParams(outcome.parameters).toString();
  const tokens = await openid.authorizationCodeGrant(
    configuration,
    answer,
    { pkceCodeVerifier: codeVerifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true },
    undefined,
    { DPoP },
  );
  const { sub } = tokens.claims() ?? { sub: '' };
  expect(await openid.fetchUserInfo(configuration, tokens.access_token, sub, { DPoP })).toMatchObject({
    sub,
  });
  const renewed = await openid.refreshTokenGrant(configuration, tokens.refresh_token ?? '', undefined, {
    DPoP,
  });
  expect(renewed.access_token).not.toBe(tokens.access_token);
}
