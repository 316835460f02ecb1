import { expect } from 'vitest';
import { send } from '../harness/send.ts';
import { errorOf, type DefineFapiModule, type Fapi, type Sending } from './fapi2.ts';
import { codeOf, type Authorization } from './suite.ts';

/** Authorization requests, pushed ones, PKCE, and the limits of parameters. */
export function defineRequestModules(define: DefineFapiModule): void {
  defineLimits(define);
  defineParameters(define);
  definePushing(define);
  definePkce(define);
}

/** The request is refused where it is pushed. */
async function expectNotPushed(
  fapi: Fapi,
  more: Readonly<Record<string, string | undefined>>,
  ...errors: string[]
): Promise<void> {
  const { answer } = await fapi.push(more);
  expect(answer.status, answer.text).toBe(400);
  expect(errors).toContain(errorOf(answer));
  expect(answer.json()).not.toHaveProperty('request_uri');
}

/** A page of the server, or an error that came back to the client: no code in any case. */
function expectRefused(outcome: Authorization, ...errors: string[]): void {
  if (outcome.parameters === undefined) {
    expect(outcome.page?.status).toBeGreaterThanOrEqual(400);
    return;
  }
  expect(errors).toContain(outcome.parameters['error']);
  expect(outcome.parameters).not.toHaveProperty('code');
}

function defineLimits(define: DefineFapiModule): void {
  define('ensure-authorization-request-with-long-nonce', async (fapi) => {
    const nonce = 'n'.repeat(384);
    const { claims } = await fapi.signIn({ nonce });
    expect(claims['nonce']).toBe(nonce);
  });

  define('ensure-authorization-request-with-long-state', async (fapi) => {
    const { outcome } = await fapi.authorize({ state: 's'.repeat(1_000) });
    expect(outcome.parameters?.['state']).toBe('s'.repeat(1_000));
  });

  // Our requests are plain forms, so "inside the request object" is what was pushed.
  define('ensure-different-nonce-inside-and-outside-request-object', async (fapi) => {
    const pushed = await fapi.push();
    const outcome = await fapi.open(pushed, { nonce: 'outside', scope: 'openid', response_type: 'code' });
    const answer = await fapi.redeem({ ...pushed, code: codeOf(fapi.suite, outcome) });
    const { id_token: idToken } = answer.json() as { id_token: string };
    expect((await fapi.suite.verifyIdToken(idToken, fapi.first))['nonce']).toBe(pushed.nonce);
  });

  define('ensure-different-state-inside-and-outside-request-object', async (fapi) => {
    const pushed = await fapi.push();
    const outcome = await fapi.open(pushed, { state: 'outside', scope: 'openid', response_type: 'code' });
    expect(outcome.parameters?.['state']).toBe(pushed.state);
  });

  define('state-only-outside-request-object-not-used', async (fapi) => {
    const { parameters } = await fapi.open(await fapi.push({ state: undefined }), { state: 'outside' });
    expect(parameters).toHaveProperty('code');
    expect(parameters).not.toHaveProperty('state');
  });
}

function defineParameters(define: DefineFapiModule): void {
  const elsewhere = 'https://fapi-first.client.example/callback/other';
  // RFC 9126, 2.4 would let a server take URIs that are not registered: ours does not.
  for (const name of ['ensure-registered-redirect-uri', 'plain-fapi-tolerate-unregistered-redirect-uri']) {
    define(name, (fapi) => expectNotPushed(fapi, { redirect_uri: elsewhere }, 'invalid_request'));
  }
  for (const name of [
    'ensure-redirect-uri-in-authorization-request',
    'ensure-request-object-without-redirect-uri-fails',
  ]) {
    define(name, (fapi) => expectNotPushed(fapi, { redirect_uri: undefined }, 'invalid_request'));
  }
  const types = ['unsupported_response_type', 'invalid_request', 'unauthorized_client'];
  define('ensure-response-type-code-idtoken-fails', (fapi) =>
    expectNotPushed(fapi, { response_type: 'code id_token' }, ...types),
  );
  define('ensure-response-type-token-fails', (fapi) =>
    expectNotPushed(fapi, { response_type: 'token' }, ...types),
  );

  define('ensure-unsigned-authorization-request-without-using-par-fails', async ({ suite, first }) => {
    const { redirectUri } = first;
    const { state, nonce, parameters } = suite.request(
      { code_challenge: 'c'.repeat(43), code_challenge_method: 'S256' },
      { ...first, clientSecret: '' },
    );
    const url = new URL(suite.metadata.authorization_endpoint);
    url.search = new URLSearchParams(parameters).toString();
    const visitor = suite.loggedIn;
    const outcome = await suite.passPages(await visitor.open(url), { state, nonce, visitor, redirectUri });
    expectRefused(outcome, 'invalid_request');
  });
}

function definePushing(define: DefineFapiModule): void {
  define('par-without-duplicate-parameters', async (fapi) => {
    // Nothing but client_id and request_uri, as every other module here; and with what the suite repeats else.
    expect((await fapi.open(await fapi.push())).parameters).toHaveProperty('code');
    const repeated = { response_type: 'code', scope: 'openid', redirect_uri: fapi.first.redirectUri };
    expect((await fapi.open(await fapi.push(), repeated)).parameters).toHaveProperty('code');
  });

  define('par-ensure-reused-request-uri-prior-to-auth-completion-succeeds', async (fapi) => {
    const pushed = await fapi.push();
    const visitor = fapi.browser();
    // Somebody opens the link and goes no further; then opens it again.
    const page = await visitor.visit(fapi.authorizationUrl(pushed.requestUri));
    expect(page.status).toBe(200);
    const outcome = await fapi.open(pushed, {}, visitor);
    expect(outcome.pages).toContain('login');
    const answer = await fapi.redeem({ ...pushed, code: codeOf(fapi.suite, outcome) });
    expect(answer.status, answer.text).toBe(200);
  });

  define('par-attempt-reuse-request_uri', async (fapi) => {
    const used = await fapi.authorize();
    expectRefused(await fapi.open(used), 'invalid_request_uri');
  });

  define('par-attempt-to-use-expired-request_uri', async (fapi) => {
    const pushed = await fapi.push();
    const { expires_in: seconds } = pushed.answer.json() as { expires_in: number };
    expect(seconds).toBeGreaterThanOrEqual(5);
    expect(seconds).toBeLessThan(600);
    fapi.suite.advance((seconds + 1) * 1_000);
    expectRefused(await fapi.open(pushed), 'invalid_request_uri');
  });

  define('par-attempt-to-use-request_uri-for-different-client', async (fapi) => {
    const pushed = await fapi.push();
    const outcome = await fapi.open(pushed, {}, fapi.suite.loggedIn, fapi.second);
    expectRefused(outcome, 'invalid_request', 'invalid_request_uri');
    // And the client that it belongs to is none the worse for it.
    expect((await fapi.open(pushed)).parameters).toHaveProperty('code');
  });

  define('par-authorization-request-containing-request_uri', async (fapi) => {
    // Inside a signed request object: there are none here.
    const payload = Buffer.from(JSON.stringify({ request_uri: 'urn:x' })).toString('base64url');
    const request = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
    await expectNotPushed(
      fapi,
      { request },
      'invalid_request',
      'request_not_supported',
      'invalid_request_object',
    );
  });

  define('par-authorization-request-containing-request_uri-form-param', async (fapi) => {
    const { requestUri } = await fapi.push();
    await expectNotPushed(fapi, { request_uri: requestUri }, 'invalid_request', 'invalid_request_object');
  });

  define('par-attempt-invalid-http-method', async ({ metadata }) => {
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
      const answer = await send(metadata.pushed_authorization_request_endpoint, { method });
      expect(answer.status, method).toBe(405);
    }
  });

  define('par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted', async (fapi) => {
    const { answer } = await fapi.push({}, assertedAt(fapi, 8));
    expect(answer.status, answer.text).toBe(201);
  });

  define('par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails', async (fapi) => {
    const { answer } = await fapi.push({}, assertedAt(fapi, 62));
    expect(errorOf(answer)).toBe('invalid_client');
  });

  define('par-test-array-as-audience-fails', (fapi) =>
    expectAssertionRefused(fapi, { aud: [fapi.metadata.issuer] }),
  );
  define('par-test-par-endpoint-url-as-audience-fails', (fapi) =>
    expectAssertionRefused(fapi, { aud: fapi.metadata.pushed_authorization_request_endpoint }),
  );
  define('par-test-token-endpoint-url-as-audience-fails', (fapi) =>
    expectAssertionRefused(fapi, { aud: fapi.metadata.token_endpoint }),
  );
}

/** The times of an assertion, so many seconds from now. */
function assertedAt(fapi: Fapi, seconds: number): Sending {
  const time = fapi.now() + seconds;
  return { assertion: { claims: { iat: time, nbf: time, exp: time + 60 } } };
}

async function expectAssertionRefused(fapi: Fapi, claims: Record<string, unknown>): Promise<void> {
  const { answer } = await fapi.push({}, { assertion: { claims } });
  expect([400, 401], answer.text).toContain(answer.status);
  expect(errorOf(answer)).toBe('invalid_client');
}

function definePkce(define: DefineFapiModule): void {
  define('par-ensure-pkce-required', (fapi) =>
    expectNotPushed(fapi, { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'),
  );

  define('par-plain-pkce-rejected', (fapi) =>
    expectNotPushed(
      fapi,
      { code_challenge: 'v'.repeat(43), code_challenge_method: 'plain' },
      'invalid_request',
    ),
  );

  define('ensure-pkce-code-verifier-required', async (fapi) => {
    const answer = await fapi.redeem(await fapi.authorize(), {}, { code_verifier: undefined });
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toBe('invalid_grant');
  });

  define('incorrect-pkce-code-verifier-rejected', async (fapi) => {
    const answer = await fapi.redeem(await fapi.authorize(), {}, { code_verifier: 'w'.repeat(43) });
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toBe('invalid_grant');
  });
}
