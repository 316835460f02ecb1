import { describe, expect, test } from 'vitest';
import { createSignInWorld, type TokenAnswer } from '../harness/sign-in-world.ts';
import { spawnTessera } from '../harness/spawn-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { checkExactlyOne, race, roundsOf } from './race.ts';

const parallel = 100;
/** The long counts take their time. */
const limitMs = roundsOf({ short: 180_000, long: 3_600_000 });

describe.each(databaseKinds)(
  'one authorization code, presented to four processes on %s',
  { timeout: limitMs },
  (kind) => {
    test('100 parallel redemptions have exactly one success, and what it issued ends with the second try (security-18, 19)', async () => {
      await using tessera = await spawnTessera(kind, { processes: 4 });
      const world = await createSignInWorld(tessera.urls, tessera.setUpLink);
      for (let round = 0; round < roundsOf({ short: 10, long: 1_000 }); round++) {
        const { code, request } = await world.issueCode();
        const answers = await race(tessera.ports, parallel, (port) => world.redeem(code, request, port));
        checkExactlyOne(answers);
        const winner = answers.find(({ status }) => status === 200)?.json() as TokenAnswer;
        const retry = await world.refresh(winner.refresh_token);
        expect(retry.status, 'a code that came twice ends all that it issued').toBe(400);
      }
    });

    test('the same check catches a server that looks first and writes later', async () => {
      await using tessera = await spawnTessera(kind, { processes: 4, careless: true });
      const world = await createSignInWorld(tessera.urls, tessera.setUpLink);
      for (let round = 0; round < roundsOf({ short: 2, long: 50 }); round++) {
        const { code, request } = await world.issueCode();
        const answers = await race(tessera.ports, parallel, (port) => world.redeem(code, request, port));
        expect(() => checkExactlyOne(answers)).toThrow(/succeeded, expected 1/);
      }
    });
  },
);
