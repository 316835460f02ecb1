import { expect, test } from 'vitest';
import { send } from '../harness/send.ts';
import { describeSignIn } from './on-both-databases.ts';

describeSignIn('discovery', (place) => {
  test('is one document at both well-known paths, which promises what is served', async () => {
    const { origin, api, oidc } = place.tessera.urls;
    const openid = await send(`${origin}/.well-known/openid-configuration`);
    const oauth = await send(`${origin}/.well-known/oauth-authorization-server`);
    expect(openid.status).toBe(200);
    expect(oauth.text).toBe(openid.text);
    expect(openid.json()).toMatchObject({
      issuer: origin,
      authorization_endpoint: `${origin}/oauth/authorize`,
      jwks_uri: `${origin}/.well-known/jwks`,
      token_endpoint: `${api}/login/oauth/token`,
      userinfo_endpoint: `${api}/login/oauth/userinfo`,
      revocation_endpoint: `${api}/login/oauth/token/revoke`,
      workload_token_issuer: oidc,
      introspection_endpoint: `${api}/login/oauth/token/introspect`,
      response_types_supported: ['code'],
      response_modes_supported: ['query', 'form_post', 'web_message.opener'],
      grant_types_supported: [
        'authorization_code',
        'refresh_token',
        'client_credentials',
        'urn:ietf:params:oauth:grant-type:device_code',
        'urn:ietf:params:oauth:grant-type:token-exchange',
      ],
      token_endpoint_auth_methods_supported: [
        'client_secret_basic',
        'client_secret_post',
        'client_secret_jwt',
        'private_key_jwt',
        'none',
      ],
      claims_parameter_supported: true,
      acr_values_supported: ['1'],
      ui_locales_supported: ['en'],
      code_challenge_methods_supported: ['S256'],
      subject_types_supported: ['public'],
      authorization_response_iss_parameter_supported: true,
      request_uri_parameter_supported: false,
    });
  });

  test('does not depend on the Host or any forwarded header', async () => {
    const { origin } = place.tessera.urls;
    const plain = await send(`${origin}/.well-known/openid-configuration`);
    const forwarded = await send(`${origin}/.well-known/openid-configuration`, {
      headers: {
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'https',
        forwarded: 'host=evil.example',
      },
    });
    expect(forwarded.text).toBe(plain.text);
  });

  test('names a key set with public keys only', async () => {
    const answer = await send(`${place.tessera.urls.origin}/.well-known/jwks`);
    const { keys } = answer.json() as { keys: Record<string, unknown>[] };
    expect(keys.length).toBeGreaterThanOrEqual(1);
    for (const key of keys) {
      expect(key).toMatchObject({
        kid: expect.any(String) as string,
        use: 'sig',
        alg: expect.any(String) as string,
      });
      for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(key).not.toHaveProperty(secret);
    }
    expect(answer.headers['cache-control']).toMatch(/max-age=\d+/);
  });

  test('lets scripts of any site read what needs no cookie, and nothing else (security-9)', async () => {
    const { origin, api } = place.tessera.urls;
    const headers = { origin: 'https://app.example' };
    for (const url of [
      `${origin}/.well-known/openid-configuration`,
      `${origin}/.well-known/jwks`,
      `${api}/login/oauth/userinfo`,
    ]) {
      const answer = await send(url, { headers });
      expect(answer.headers['access-control-allow-origin']).toBe('*');
      expect(answer.headers['access-control-expose-headers']).toBe('WWW-Authenticate, DPoP-Nonce');
      expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
    }
    for (const path of ['token', 'token/revoke', 'userinfo']) {
      const preflight = await send(`${api}/login/oauth/${path}`, {
        method: 'OPTIONS',
        headers: { ...headers, 'access-control-request-method': 'POST' },
      });
      expect(preflight.status).toBe(204);
      expect(preflight.headers['access-control-allow-methods']).toContain('POST');
    }
    for (const url of [
      `${origin}/oauth/authorize?client_id=x`,
      `${origin}/login`,
      `${api}/login/oauth/token/introspect`,
    ]) {
      const answer = await send(url, { headers });
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
  });
});
