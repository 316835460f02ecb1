import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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
    let running: SpawnedTessera;
    let world: SignInWorld;
    beforeAll(async () => {
      running = await spawnTessera(kind, { processes: 4 });
      world = await createSignInWorld(running.urls, running.setUpLink);
    });
    afterAll(async () => {
      await running?.close();
    });

    test('100 parallel uses all get the identical successor, which lives', async () => {
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
      for (let round = 0; round < roundsOf({ short: 5, long: 500 }); round++) {
        const { length: others } = await countLiveLeaves(running.database);
        const { refresh_token: token } = await world.signIn();
        const successor = checkOneSuccessor([await world.refresh(token)]);
        await running.advance(afterTheWindow);
        const answers = await race(running.ports, parallel, (port) => world.refresh(token, port));
        checkRefusals(answers);
        expect(answers.filter(({ status }) => status === 200)).toHaveLength(0);
        expect((await world.refresh(successor)).status, 'the family has ended').toBe(400);
        expect(await countLiveLeaves(running.database), 'it has no live leaf').toHaveLength(others);
      }
    });

    test('a token and its successor used at once never leave two live leaves (security-31)', async () => {
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
      await using careless = await spawnTessera(kind, { processes: 4, careless: true });
      const itsWorld = await createSignInWorld(careless.urls, careless.setUpLink);
      for (let round = 0; round < roundsOf({ short: 2, long: 50 }); round++) {
        const { refresh_token: token } = await itsWorld.signIn();
        const answers = await race(careless.ports, parallel, (port) => itsWorld.refresh(token, port));
        expect(() => checkOneSuccessor(answers)).toThrow(/different successors/);
      }
    });
  },
);
