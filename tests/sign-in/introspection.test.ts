import { expect, test } from 'vitest';
import { sendForm } from '../harness/send.ts';
import { createSignInWorld } from '../harness/sign-in-world.ts';
import { startTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { describeSignIn } from './on-both-databases.ts';
import { openApp } from './open-app.ts';

const orders = 'https://orders.example';

describeSignIn('introspection', (place) => {
  test('a resource server sees the tokens that are for it, of apps of its team (security-35)', async () => {
    const app = await openApp(place, { resources: [orders] });
    const server = await openApp(place, { protectedResources: [orders] });
    const other = await openApp(place, { protectedResources: ['https://other.example'] });
    const { access_token: token, refresh_token: refreshToken } = await app.signIn({ resource: orders });
    const seen = await server.introspect(token);
    expect(seen).toMatchObject({ active: true, client_id: app.clientId, aud: [orders] });
    expect(seen['scope']).toBe('openid profile email offline_access');
    expect(await other.introspect(token)).toEqual({ active: false });
    expect(await server.introspect(refreshToken)).toEqual({ active: false });
    // One for our own API is none of its business.
    expect(await server.introspect((await app.signIn()).access_token)).toEqual({ active: false });
  });

  test('a server of another team cannot say that it is this one, and sees nothing', async () => {
    const app = await openApp(place, { resources: [orders] });
    const { access_token: token } = await app.signIn({ resource: orders });
    const slug = `team-${Math.random().toString(36).slice(2, 10)}`;
    const team = await place.world.call('teams.create', { body: { slug, name: slug } });
    const createStranger = async (protectedResources: string[]) =>
      place.world.call('apps.create', {
        query: { teamId: team.id },
        body: {
          name: `Stranger ${slug}`,
          redirectUris: [],
          scopes: [],
          tokenEndpointAuthMethods: ['client_secret_post'],
          signInAccess: 'anyone',
          protectedResources,
        },
      });
    await expect(createStranger([orders])).rejects.toMatchObject({
      problem: { status: 409, code: 'resource_taken' },
    });
    const stranger = await createStranger([]);
    const { clientSecret } = await place.world.call('app-secrets.create', {
      params: { id: stranger.id },
      query: { teamId: team.id },
    });
    const answer = await sendForm(`${place.tessera.urls.api}/login/oauth/token/introspect`, {
      token,
      client_id: stranger.id,
      client_secret: clientSecret,
    });
    expect(answer.json()).toEqual({ active: false });
  });

  test('nobody is answered without a client, unless the operator said so', async () => {
    const { access_token: token } = await place.world.signIn();
    const url = `${place.tessera.urls.api}/login/oauth/token/introspect`;
    expect((await sendForm(url, { token })).status).toBe(401);
  });
});

test.each(databaseKinds)(
  'an open instance answers whoever has an access token, so many times a minute, on %s',
  async (kind) => {
    const tessera = await startTessera(kind, { variables: { TESSERA_OPEN_INTROSPECTION: 'on' } });
    try {
      const world = await createSignInWorld(tessera.urls, tessera.setUpLink);
      const tokens = await world.signIn();
      const url = `${tessera.urls.api}/login/oauth/token/introspect`;
      const ask = (token: string, more: Record<string, string> = {}) => sendForm(url, { token, ...more });
      expect((await ask(tokens.access_token)).json()).toMatchObject({
        active: true,
        client_id: world.app.clientId,
      });
      expect((await ask(tokens.refresh_token)).json()).toEqual({ active: false });
      expect((await ask('vca_nothing')).json()).toEqual({ active: false });
      // A client that says who it is has to prove it.
      expect((await ask(tokens.access_token, { client_id: world.app.clientId })).status).toBe(401);
      const statuses = new Set<number>();
      for (let round = 0; round < 120; round += 1) statuses.add((await ask('vca_nothing')).status);
      expect([...statuses]).toEqual([200, 429]);
      const refused = await ask(tokens.access_token);
      expect(refused.headers['retry-after']).toBe('60');
    } finally {
      await tessera.close();
    }
  },
  60_000,
);
