import { afterAll, beforeAll, expect, test } from 'vitest';
import { signInOnDevice } from '../../examples/device/sign-in-on-device.ts';
import { deviceGrantType, enterUserCode } from '../harness/device.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';

let tessera: RunningTessera;
let world: SignInWorld;
beforeAll(async () => {
  tessera = await startTessera('sqlite');
  world = await createSignInWorld(tessera.urls, tessera.setUpLink);
});
afterAll(() => tessera?.close());

test('openid-client, as it is published, signs somebody in on a device that has no secret', async () => {
  const { id: clientId } = await world.call('apps.create', {
    query: { teamId: world.team.id },
    body: {
      name: 'Command line',
      redirectUris: ['http://127.0.0.1/callback'],
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      tokenEndpointAuthMethods: ['none'],
      grantTypes: ['authorization_code', 'refresh_token', deviceGrantType],
      signInAccess: 'anyone',
    },
  });
  let allowed: Promise<unknown> | undefined;
  const { person, tokens } = await signInOnDevice({
    issuer: tessera.urls.origin,
    clientId,
    show: ({ address, code }) => {
      const { visitor } = world.admin;
      allowed = enterUserCode(visitor, address, world.admin, code).then((page) =>
        visitor.submit(page, 'consent', {}, 'consent-allow'),
      );
    },
  });
  await allowed;
  expect(person).toMatchObject({ email: world.admin.email, name: world.admin.name });
  expect(tokens.refresh_token).toBeDefined();
}, 60_000);
