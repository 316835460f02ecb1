import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sendForm, type Answer } from '../harness/send.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { createAuthorizationRequest, passSignInPages } from '../harness/sign-in.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';

describe('an app without a secret', () => {
  let tessera: RunningTessera | undefined;
  let world: SignInWorld;
  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createSignInWorld(tessera.urls, tessera.setUpLink);
  }, 120_000);
  afterAll(() => tessera?.close());

  test('gets a new refresh token at each use, and the old one stops once the new one was used (security-29)', async () => {
    const { urls } = tessera as RunningTessera;
    const { call, team, admin } = world;
    const redirectUri = 'https://spa.acme.example/callback';
    const { id: clientId } = await call('apps.create', {
      query: { teamId: team.id },
      body: {
        name: 'Single page',
        redirectUris: [redirectUri],
        scopes: ['openid', 'offline_access'],
        tokenEndpointAuthMethods: ['none'],
        signInAccess: 'anyone',
      },
    });
    const ask = (fields: Record<string, string>): Promise<Answer> =>
      sendForm(`${urls.api}/login/oauth/token`, { client_id: clientId, ...fields });
    const scope = 'openid offline_access';
    const request = createAuthorizationRequest(urls.origin, { clientId, redirectUri }, { scope });
    const answer = await passSignInPages(admin.visitor, request.url, admin);
    const first = await ask({
      grant_type: 'authorization_code',
      code: answer.searchParams.get('code') ?? '',
      redirect_uri: redirectUri,
      code_verifier: request.codeVerifier,
    });
    const refresh = async (from: Answer): Promise<Answer> =>
      ask({
        grant_type: 'refresh_token',
        refresh_token: (from.json() as { refresh_token: string }).refresh_token,
      });
    const second = await refresh(first);
    expect(second.status, second.text).toBe(200);
    const third = await refresh(second);
    expect(third.status, third.text).toBe(200);
    expect((await refresh(first)).json()).toMatchObject({ error: 'invalid_grant' });
    expect((await refresh(third)).json(), 'and what came of it ends too').toMatchObject({
      error: 'invalid_grant',
    });
  });
});
