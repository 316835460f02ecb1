import { expect } from 'vitest';
import type { Answer } from '../harness/send.ts';
import { errorOf, type AssertionChanges, type DefineFapiModule, type Fapi } from './fapi2.ts';
import type { Tokens } from './suite.ts';

/** The token endpoint: codes, client assertions, refresh tokens. */
export function defineTokenModules(define: DefineFapiModule): void {
  defineCodes(define);
  defineAssertions(define);

  define('refresh-token', async (fapi) => {
    const { tokens, claims } = await fapi.signIn({ scope: 'openid offline_access', prompt: 'consent' });
    expect(fapi.metadata['grant_types_supported']).toContain('refresh_token');
    const { refresh_token: refreshToken = '' } = tokens;
    expect(refreshToken).toMatch(/^[\x20-\x7e]+$/);
    const answer = await fapi.refresh(refreshToken);
    expect(answer.status, answer.text).toBe(200);
    const renewed = answer.json() as Tokens;
    expect((await fapi.userinfo(renewed.access_token)).json()).toMatchObject({ sub: claims.sub });
    const again = await fapi.suite.verifyIdToken(renewed.id_token, fapi.first);
    expect(again).toMatchObject({ sub: claims.sub, auth_time: claims['auth_time'] });
    // Not rotated: whoever lost the answer goes on with the same one (FAPI 2.0, 5.3.2.1).
    expect(renewed.refresh_token ?? refreshToken).toBe(refreshToken);
    fapi.suite.advance(31_000);
    expect((await fapi.refresh(refreshToken)).status).toBe(200);

    // Not without a key, nor for another client.
    const withoutProof = await fapi.refresh(refreshToken, { proof: false });
    expect(withoutProof.status).toBe(400);
    expect(['invalid_client', 'invalid_grant', 'invalid_request']).toContain(errorOf(withoutProof));
    expect(errorOf(await fapi.refresh(refreshToken, { client: fapi.second }))).toBe('invalid_grant');
    expect((await fapi.refresh(refreshToken)).status, 'and it is none the worse for all that').toBe(200);
  });
}

function expectNoTokens(answer: Answer, ...errors: string[]): void {
  expect([400, 401], answer.text).toContain(answer.status);
  expect(answer.headers['content-type']).toMatch(/^application\/json/);
  expect(errors).toContain(errorOf(answer));
  // RFC 6749, 5.2: a description is printable, without quotation mark and backslash.
  const { error_description: description = '' } = answer.json() as { error_description?: string };
  expect(description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/);
}

function defineCodes(define: DefineFapiModule): void {
  define('ensure-client-id-in-token-endpoint', async (fapi) => {
    // The second client's id, and an assertion of it that the first one signed.
    const issued = await fapi.authorize();
    const answer = await fapi.redeem(
      issued,
      { client: fapi.second, assertion: { key: fapi.first.key } },
      { client_id: fapi.second.clientId, redirect_uri: fapi.first.redirectUri },
    );
    expectNoTokens(answer, 'invalid_client', 'invalid_grant');
    // And an id beside an assertion of somebody else.
    const other = await fapi.redeem(issued, {}, { client_id: fapi.second.clientId });
    expectNoTokens(other, 'invalid_client', 'invalid_grant', 'invalid_request');
  });

  define('ensure-authorization-code-is-bound-to-client', async (fapi) => {
    const issued = await fapi.authorize();
    const stolen = await fapi.redeem(
      issued,
      { client: fapi.second },
      { redirect_uri: fapi.first.redirectUri },
    );
    expectNoTokens(stolen, 'invalid_grant');
    expect((await fapi.redeem(issued)).status, 'and the stranger did not burn it').toBe(200);
  });

  define('attempt-reuse-authorization-code-after-one-second', async (fapi) => {
    const { tokens, ...issued } = await fapi.signIn();
    fapi.suite.advance(1_000);
    expectNoTokens(await fapi.redeem(issued), 'invalid_grant');
    expect((await fapi.userinfo(tokens.access_token)).status, 'what it gave is revoked').toBe(401);
  });

  define('ensure-token-endpoint-fails-with-expired-auth-code', async (fapi) => {
    const issued = await fapi.authorize();
    fapi.suite.advance(61_000);
    expectNoTokens(await fapi.redeem(issued), 'invalid_grant');
  });
}

function defineAssertions(define: DefineFapiModule): void {
  /** A code stays good however its client fails to prove itself. */
  async function expectRefused(fapi: Fapi, assertion: AssertionChanges | false, ...errors: string[]) {
    const issued = await fapi.authorize();
    expectNoTokens(await fapi.redeem(issued, { assertion }), 'invalid_client', ...errors);
    expect((await fapi.redeem(issued)).status).toBe(200);
  }

  define('ensure-signed-client-assertion-with-RS256-fails', async (fapi) => {
    const { privateKey, ...rest } = fapi.first.key;
    const jwk = await crypto.subtle.exportKey('jwk', privateKey);
    const { alg: _, key_ops: __, ...material } = jwk;
    const name = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
    const sameKey = await crypto.subtle.importKey('jwk', material, name, true, ['sign']);
    await expectRefused(fapi, { key: { ...rest, privateKey: sameKey, algorithm: 'RS256' } });
  });

  define('ensure-client-assertion-in-token-endpoint', (fapi) =>
    expectRefused(fapi, false, 'invalid_request'),
  );

  define('ensure-client-assertion-with-exp-is-5-minutes-in-past-fails', (fapi) =>
    expectRefused(fapi, { claims: { exp: fapi.now() - 300, iat: fapi.now() - 360, nbf: fapi.now() - 360 } }),
  );

  define('ensure-client-assertion-with-wrong-aud-fails', (fapi) =>
    expectRefused(fapi, { claims: { aud: 'https://other.example' } }),
  );

  define('ensure-client-assertion-with-no-sub-fails', (fapi) =>
    expectRefused(fapi, { claims: { sub: undefined } }),
  );
}
