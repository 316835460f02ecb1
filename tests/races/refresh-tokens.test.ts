import { afterEach, describe, expect, test } from 'vitest';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { spawnTessera, type SpawnedTessera } from '../harness/spawn-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { checkOneSuccessor, checkRefusals, countLiveLeaves, race, roundsOf } from './race.ts';

const parallel = 100;
/** The long counts take their time. */
const limitMs = roundsOf({ short: 180_000, long: 3_600_000 });
const afterTheWindow = 31_000;

describe.each(databaseKinds)(
  'one refresh token, presented to four processes on %s',
  { timeout: limitMs },
  (kind) => {
    let tessera: SpawnedTessera | undefined;
    afterEach(async () => {
      await tessera?.close();
      tessera = undefined;
    });

    async function start(careless = false): Promise<{ running: SpawnedTessera; world: SignInWorld }> {
      tessera = await spawnTessera(kind, { processes: 4, careless });
      return { running: tessera, world: await createSignInWorld(tessera.urls, tessera.setUpLink) };
    }

    test('100 parallel uses all get the identical successor, which lives', async () => {
      const { running, world } = await start();
      for (let round = 0; round < roundsOf({ short: 8, long: 1_000 }); round++) {
        const { refresh_token: token } = await world.signIn();
        const answers = await race(running.ports, parallel, (port) => world.refresh(token, port));
        const successor = checkOneSuccessor(answers);
        expect(answers.filter(({ status }) => status === 200)).toHaveLength(parallel);
        expect(Math.max(...(await countLiveLeaves(running.database)))).toBe(1);
        expect((await world.refresh(successor)).status, 'no honest client has to sign in again').toBe(200);
      }
    });

    test('100 parallel uses after the window have no success, and the family ends', async () => {
      const { running, world } = await start();
      for (let round = 0; round < roundsOf({ short: 5, long: 500 }); round++) {
        const { refresh_token: token } = await world.signIn();
        const successor = checkOneSuccessor([await world.refresh(token)]);
        await running.advance(afterTheWindow);
        const answers = await race(running.ports, parallel, (port) => world.refresh(token, port));
        checkRefusals(answers);
        expect(answers.filter(({ status }) => status === 200)).toHaveLength(0);
        expect((await world.refresh(successor)).status, 'the family has ended').toBe(400);
        expect(await countLiveLeaves(running.database)).toEqual([]);
      }
    });

    test('a token and its successor used at once never leave two live leaves', async () => {
      const { running, world } = await start();
      for (let round = 0; round < roundsOf({ short: 5, long: 500 }); round++) {
        const { refresh_token: token } = await world.signIn();
        const successor = checkOneSuccessor([await world.refresh(token)]);
        const answers = await race(running.ports, parallel, (port, index) =>
          world.refresh(index % 2 === 0 ? token : successor, port),
        );
        checkRefusals(answers);
        expect((await countLiveLeaves(running.database)).filter((leaves) => leaves > 1)).toEqual([]);
      }
    });

    test('the same check catches a server that looks first and writes later', async () => {
      const { running, world } = await start(true);
      for (let round = 0; round < roundsOf({ short: 3, long: 50 }); round++) {
        const { refresh_token: token } = await world.signIn();
        const answers = await race(running.ports, parallel, (port) => world.refresh(token, port));
        expect(() => checkOneSuccessor(answers)).toThrow(/different successors/);
      }
    });
  },
);
