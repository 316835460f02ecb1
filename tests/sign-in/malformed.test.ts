import fc from 'fast-check';
import { expect, test } from 'vitest';
import { send, type Answer } from '../harness/send.ts';
import { createAuthorizationRequest } from '../harness/sign-in.ts';
import { basic, describeSignIn } from './on-both-databases.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('\0', 'cl_\0', '%', '%00', '%zz', '+', '=&', '\r\nx: y', 'é', '\u202e', 'x'.repeat(5_000)),
);
const names =
  'client_id redirect_uri response_type response_mode scope state nonce prompt max_age code_challenge ' +
  'code_challenge_method login_hint id_token_hint display claims acr_values grant_type code code_verifier ' +
  'refresh_token client_secret token token_type_hint';
const parameter = fc.constantFrom(...names.split(' '));
const parameters = fc.dictionary(parameter, anyText, { maxKeys: 6 });

describeSignIn('malformed input', (place) => {
  const runs = { numRuns: 120 };
  const encode = (fields: Record<string, string>) => new URLSearchParams(fields).toString();
  const check = (answer: Answer) => {
    expect(answer.status).toBeLessThan(500);
    expect(answer.status).not.toBe(200);
  };
  const post = (url: string, body: string, headers: Record<string, string> = {}) =>
    send(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    });

  test('at the authorization endpoint is a page or an error for the app', async () => {
    const { origin } = place.tessera.urls;
    await fc.assert(
      fc.asyncProperty(parameters, fc.boolean(), async (changes, isPost) => {
        const { url } = createAuthorizationRequest(origin, place.world.app, changes);
        if (url.href.length > 8_000) return;
        const answer = isPost
          ? await post(`${origin}/oauth/authorize`, url.search.slice(1))
          : await send(url);
        check(answer);
      }),
      runs,
    );
    for (const path of ['%00', '%', '%zz', 'req_%00', '..%2f..', 'x'.repeat(2_000)]) {
      check(await send(`${origin}/oauth/authorize/${path}`));
    }
  });

  test.each(['token', 'token/revoke', 'token/introspect', 'userinfo', 'device-authorization'])(
    'at the endpoint %s is refused',
    async (path) => {
      const url = `${place.tessera.urls.api}/login/oauth/${path}`;
      const device = 'urn:ietf:params:oauth:grant-type:device_code';
      const grant = fc.constantFrom('authorization_code', 'refresh_token', device, 'password', '\0');
      await fc.assert(
        fc.asyncProperty(parameters, grant, fc.boolean(), async (fields, grantType, isAuthenticated) => {
          const body = encode({ grant_type: grantType, ...fields });
          const answer = await post(url, body, isAuthenticated ? basic(place.world.app) : {});
          expect(answer.status).toBeLessThan(500);
          if (path.startsWith('token/') && isAuthenticated) return;
          expect(answer.status).toBeGreaterThanOrEqual(400);
          expect(answer.json()).toMatchObject({ error: expect.any(String) as string });
        }),
        runs,
      );
    },
  );

  test('at the logout is a page', async () => {
    const { origin } = place.tessera.urls;
    const logout = fc.constantFrom(
      'id_token_hint',
      'client_id',
      'post_logout_redirect_uri',
      'state',
      'request',
    );
    const fields = fc.dictionary(logout, anyText, { maxKeys: 4 });
    const paths = ['', '/continue', '/confirm'];
    await fc.assert(
      fc.asyncProperty(fields, fc.constantFrom(...paths), fc.boolean(), async (sent, path, isPost) => {
        const url = `${origin}/oauth/logout${path}`;
        const query = encode(sent);
        if (query.length > 8_000) return;
        const answer = isPost ? await post(url, query) : await send(`${url}?${query}`);
        expect(answer.status).toBeLessThan(500);
        // Never anywhere but to our own pages: no app has registered what was made up here.
        const own = new URL(origin).origin;
        expect(answer.status === 303 ? answer.location().origin : own).toBe(own);
      }),
      runs,
    );
  });

  test('at the pages of devices is a page', async () => {
    const { origin } = place.tessera.urls;
    const cookie = place.world.admin.visitor.cookies.header(new URL(origin)) ?? '';
    await fc.assert(
      fc.asyncProperty(anyText, fc.constantFrom('user_code', 'request'), async (text, name) => {
        const query = encode({ [name]: text });
        if (query.length > 8_000) return;
        for (const path of ['/oauth/device', '/oauth/device/confirm']) {
          for (const answer of [
            await send(`${origin}${path}?${query}`, { headers: { cookie } }),
            await post(`${origin}${path}`, query, { cookie, origin: new URL(origin).origin }),
          ]) {
            expect(answer.status).toBeLessThan(500);
          }
        }
      }),
      runs,
    );
  });

  test('in headers and bodies is refused', async () => {
    const url = `${place.tessera.urls.api}/login/oauth/token`;
    for (const authorization of [
      'Basic',
      'Basic %',
      'Basic AA==',
      `Basic ${Buffer.from('\0:\0').toString('base64')}`,
      'x',
    ]) {
      check(await post(url, 'grant_type=client_credentials', { authorization }));
    }
    for (const authorization of ['Bearer', 'Bearer \u00e9', 'Bearer a b', `Bearer ${'x'.repeat(9_000)}`]) {
      check(await send(`${place.tessera.urls.api}/login/oauth/userinfo`, { headers: { authorization } }));
    }
    check(
      await send(url, {
        method: 'POST',
        body: Buffer.from([0xff, 0xfe]),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      }),
    );
    check(await post(url, `x=${'a'.repeat(65_536)}`));
    check(await post(url, Array.from({ length: 101 }, (_, index) => `p${index}=1`).join('&')));
  });
});
