import { calculateJwkThumbprint } from 'jose';
import { expect, test } from 'vitest';
import { createKey, createProof, type Key } from '../harness/key-client.ts';
import { sendForm, type Answer } from '../harness/send.ts';
import type { TokenAnswer } from '../harness/sign-in-world.ts';
import { basic, describeSignIn } from './on-both-databases.ts';
import { claimsOf, openApp, type OpenApp } from './open-app.ts';

const orders = 'https://orders.example';

describeSignIn('refresh tokens that are kept (FAPI 2.0, 5.3.2.1)', (place) => {
  const bound = { dpopBoundAccessTokens: true, rotateRefreshTokens: false };

  /** Asks the token endpoint with a proof, a second time when it wants its nonce in it. */
  async function ask(app: OpenApp, key: Key, form: Record<string, string>): Promise<Answer> {
    const url = `${place.tessera.urls.api}/login/oauth/token`;
    const once = async (nonce?: string) => {
      const proof = await createProof(key, { url, ...(nonce === undefined ? {} : { nonce }) });
      return sendForm(url, form, { ...basic(app), dpop: proof });
    };
    const first = await once();
    const nonce = first.headers['dpop-nonce'];
    return first.text.includes('use_dpop_nonce') ? once(String(nonce)) : first;
  }
  async function signIn(app: OpenApp, key: Key, more: Record<string, string> = {}): Promise<TokenAnswer> {
    const { answer, codeVerifier } = await app.authorize(more);
    const answered = await ask(app, key, {
      grant_type: 'authorization_code',
      code: answer.searchParams.get('code') ?? '',
      redirect_uri: app.redirectUri,
      code_verifier: codeVerifier,
    });
    expect(answered.status).toBe(200);
    return answered.json() as TokenAnswer;
  }
  const refreshForm = (token: string) => ({ grant_type: 'refresh_token', refresh_token: token });

  test('the same token serves again and again, each time with a new access token', async () => {
    const app = await openApp(place, bound);
    const key = await createKey();
    const first = await signIn(app, key);
    const access = new Set([first.access_token]);
    for (let use = 0; use < 3; use += 1) {
      const answer = await ask(app, key, refreshForm(first.refresh_token));
      expect(answer.status).toBe(200);
      const tokens = answer.json() as TokenAnswer;
      expect(tokens.refresh_token).toBe(first.refresh_token);
      access.add(tokens.access_token);
    }
    expect(access.size).toBe(4);
    for (const token of access) expect(await app.introspect(token)).toMatchObject({ active: true });
  });

  test('many uses at once all succeed, and the family lives', async () => {
    const app = await openApp(place, bound);
    const key = await createKey();
    const { refresh_token: token } = await signIn(app, key);
    // The nonce is fetched once, so that all are sent together.
    await ask(app, key, refreshForm(token));
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(app, key, refreshForm(token))));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(await app.introspect(token)).toMatchObject({ active: true });
  });

  test('without a key it is worth nothing', async () => {
    const app = await openApp(place, bound);
    const { refresh_token: token } = await signIn(app, await createKey());
    const answer = await app.token(refreshForm(token));
    expect(answer.status).toBe(400);
  });

  test('an app that goes over to rotation has its kept tokens rotated from then on', async () => {
    const app = await openApp(place, bound);
    const key = await createKey();
    const { refresh_token: token } = await signIn(app, key);
    await place.world.call('apps.update', {
      params: { id: app.clientId },
      query: { teamId: place.world.team.id },
      body: { rotateRefreshTokens: true },
    });
    const next = (await ask(app, key, refreshForm(token))).json() as TokenAnswer;
    expect(next.refresh_token).not.toBe(token);
    await ask(app, key, refreshForm(next.refresh_token));
    expect((await ask(app, key, refreshForm(token))).json()).toMatchObject({ error: 'invalid_grant' });
  });

  test('a JWT names the key that it is bound to (RFC 9449, 6.1)', async () => {
    const app = await openApp(place, { ...bound, accessTokenFormat: 'jwt', resources: [orders] });
    const key = await createKey();
    const { access_token: token, token_type: type } = await signIn(app, key, { resource: orders });
    expect(type).toBe('DPoP');
    expect(claimsOf(token)).toMatchObject({
      aud: orders,
      cnf: { jkt: await calculateJwkThumbprint(key.publicJwk) },
    });
  });
});
