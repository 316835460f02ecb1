import { expect, test } from 'vitest';
import { send } from '../harness/send.ts';
import { describeSignIn } from './on-both-databases.ts';
import { claimsOf, openApp } from './open-app.ts';

describeSignIn('claims asked for by name', (place) => {
  const userinfo = async (token: string) =>
    (
      await send(`${place.tessera.urls.api}/login/oauth/userinfo`, {
        headers: { authorization: `Bearer ${token}` },
      })
    ).json() as Record<string, unknown>;
  const asked = (claims: unknown) => ({ scope: 'openid', claims: JSON.stringify(claims) });

  test('come in the ID token or at userinfo, as asked, and no other (OpenID Connect Core 5.5)', async () => {
    const app = await openApp(place);
    const tokens = await app.signIn(
      asked({
        id_token: { email: { essential: true }, nickname: null },
        userinfo: { name: null, 'http://else.example/claim': { value: 'x' } },
      }),
    );
    const idToken = claimsOf(tokens.id_token);
    expect(idToken).toMatchObject({ email: 'ada@acme.example' });
    expect(idToken).not.toHaveProperty('name');
    const info = await userinfo(tokens.access_token);
    expect(info).toEqual({ sub: idToken['sub'], name: 'Ada Lovelace' });
    expect(tokens.scope).toBe('openid');
  });

  test('need the person’s consent, and the app’s registration', async () => {
    const app = await openApp(place);
    const silent = { ...asked({ id_token: { email: null } }), prompt: 'none' };
    await app.signIn({ scope: 'openid' });
    expect((await app.authorize(silent)).answer.searchParams.get('error')).toBe('consent_required');
    await app.signIn(asked({ id_token: { email: null } }));
    expect((await app.authorize(silent)).answer.searchParams.get('code')).not.toBeNull();
    const narrow = await openApp(place, { scopes: ['openid'] });
    const tokens = await narrow.signIn(asked({ id_token: { email: null }, userinfo: { email: null } }));
    expect(claimsOf(tokens.id_token)).not.toHaveProperty('email');
    expect(await userinfo(tokens.access_token)).not.toHaveProperty('email');
  });

  test('stay with the sign-in when it is refreshed', async () => {
    const app = await openApp(place);
    const tokens = await app.signIn({
      ...asked({ id_token: { email: null } }),
      scope: 'openid offline_access',
    });
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    const again = (await app.token(form)).json() as { id_token: string };
    expect(claimsOf(again.id_token)).toMatchObject({ email: 'ada@acme.example' });
  });

  test('a sub with a value is that person or nobody (OpenID Connect Core 5.5.1)', async () => {
    const app = await openApp(place);
    const { id_token: idToken } = await app.signIn();
    const { sub } = claimsOf(idToken);
    const right = await app.authorize({ ...asked({ id_token: { sub: { value: sub } } }), prompt: 'none' });
    expect(right.answer.searchParams.get('code')).not.toBeNull();
    const wrong = await app.authorize({
      ...asked({ id_token: { sub: { value: 'usr_x' } } }),
      prompt: 'none',
    });
    expect(wrong.answer.searchParams.get('error')).toBe('login_required');
  });

  test('acr is told when it is asked for; an essential one that no login has fails', async () => {
    const app = await openApp(place);
    expect(claimsOf((await app.signIn({ acr_values: '1 2' })).id_token)).toMatchObject({ acr: '1' });
    expect(claimsOf((await app.signIn()).id_token)).not.toHaveProperty('acr');
    const essential = (values: string[]) =>
      app.authorize({ ...asked({ id_token: { acr: { essential: true, values } } }), prompt: 'none' });
    expect((await essential(['1'])).answer.searchParams.get('code')).not.toBeNull();
    expect((await essential(['9'])).answer.searchParams.get('error')).toBe(
      'unmet_authentication_requirements',
    );
  });

  test.each(['[]', '"x"', '{', '{"id_token":[]}', '{"userinfo":{"email":true}}', 'x'.repeat(5_000)])(
    'malformed: %.20s',
    async (claims) => {
      const app = await openApp(place);
      const { answer } = await app.authorize({ claims });
      expect(answer.searchParams.get('error')).toBe('invalid_request');
      expect(answer.searchParams.get('error_description')).toContain("Parameter 'claims'.");
    },
  );

  test('locales and display are taken and change nothing (OpenID Connect Core 3.1.2.1)', async () => {
    const app = await openApp(place);
    const more = { ui_locales: 'se fr-CA', claims_locales: 'se', display: 'popup' };
    expect((await app.authorize(more)).answer.searchParams.get('code')).not.toBeNull();
  });
});
