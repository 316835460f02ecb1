import { describe, expect, test } from 'vitest';
import { createDevice, createDeviceApp, enterUserCode } from '../harness/device.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { spawnTessera } from '../harness/spawn-tessera.ts';
import type { BaseUrls } from '../harness/tessera-environment.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { checkExactlyOne, race, roundsOf } from './race.ts';

const parallel = 100;
const limitMs = roundsOf({ short: 180_000, long: 3_600_000 });

/** A device whose code has been entered and allowed. */
async function approvedDevice(urls: BaseUrls, world: SignInWorld, app: Parameters<typeof createDevice>[1]) {
  const device = createDevice(urls.api, app);
  const begun = await device.begin();
  const { admin } = world;
  const page = await enterUserCode(admin.visitor, begun.verification_uri, admin, begun.user_code);
  await admin.visitor.submit(page, 'consent', {}, 'consent-allow');
  return { device, code: begun.device_code };
}

describe.each(databaseKinds)(
  'one device code, presented to four processes on %s',
  { timeout: limitMs },
  (kind) => {
    test('of 100 parallel questions exactly one gets the tokens, and keeps them', async () => {
      await using tessera = await spawnTessera(kind, { processes: 4 });
      const world = await createSignInWorld(tessera.urls, tessera.setUpLink);
      const app = await createDeviceApp(world.call, world.team.id, 'Television');
      for (let round = 0; round < roundsOf({ short: 20, long: 200 }); round++) {
        const { device, code } = await approvedDevice(tessera.urls, world, app);
        const answers = await race(tessera.ports, parallel, (port) => device.ask(code, port));
        checkExactlyOne(answers);
      }
    });

    test('the same check catches a server that looks first and writes later', async () => {
      await using tessera = await spawnTessera(kind, { processes: 4, careless: true });
      const world = await createSignInWorld(tessera.urls, tessera.setUpLink);
      const app = await createDeviceApp(world.call, world.team.id, 'Television');
      for (let round = 0; round < roundsOf({ short: 2, long: 50 }); round++) {
        const { device, code } = await approvedDevice(tessera.urls, world, app);
        const answers = await race(tessera.ports, parallel, (port) => device.ask(code, port));
        expect(() => checkExactlyOne(answers)).toThrow(/succeeded, expected 1/);
      }
    });
  },
);
