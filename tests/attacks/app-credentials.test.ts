import { expect, test } from 'vitest';
import { createClient, type CallInput } from '../../packages/contract/src/index.ts';
import { expectPage } from '../harness/front-door.ts';
import { findText } from '../harness/html.ts';
import { describeSignIn } from '../sign-in/on-both-databases.ts';
import { openApp } from '../sign-in/open-app.ts';

const key = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
};

/** By each of these somebody who holds the token could be the app from then on. */
const credentials: NonNullable<CallInput<'apps.update'>['body']>[] = [
  { jwks: { keys: [key] } },
  { jwksUri: 'https://attacker.example/keys' },
  { jwks: { keys: [key] }, tokenEndpointAuthMethods: ['client_secret_basic', 'private_key_jwt'] },
  { tokenEndpointAuthMethods: ['client_secret_basic', 'none'] },
  { linkedProjects: [] },
];

describeSignIn('an API token that may write apps', (place) => {
  test('gives no app another way to prove who it is', async () => {
    const { tessera, world } = place;
    const { visitor } = world.admin;
    const app = await openApp(place);
    const page = await visitor.visit(`${tessera.urls.origin}/account/tokens/new?team=${world.team.slug}`);
    const made = await expectPage(
      visitor,
      await visitor.submit(
        page,
        'create-api-token',
        { name: 'deploys', reach: 'chosen', 'permission:app:write': 'on' },
        'create-api-token-submit',
      ),
    );
    const token = findText(made.text, 'api-token') ?? '';
    const call = createClient({ baseUrl: tessera.urls.api, token });
    const to = { params: { id: app.clientId }, query: { teamId: world.team.id } };
    for (const body of credentials) {
      await expect(call('apps.update', { ...to, body })).rejects.toMatchObject({
        problem: { status: 403, detail: expect.stringContaining('app-secret:write') as string },
      });
    }
    expect(await call('apps.update', { ...to, body: { name: `Renamed ${Math.random()}` } })).toMatchObject({
      tokenEndpointAuthMethods: ['client_secret_basic'],
      jwks: null,
    });
  });
});
