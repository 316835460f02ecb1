import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { databaseKinds } from '../harness/test-databases.ts';
import { navigation, startGatewayWorld, type GatewayWorld } from './gateway-world.ts';

describe.each(databaseKinds)('sign-ins that somebody begins and never ends, on %s', (kind) => {
  let world: GatewayWorld;
  beforeAll(async () => {
    world = await startGatewayWorld({ database: kind });
  });
  afterAll(() => world.close());

  test(
    'are no more than five thousand of one network in ten minutes, then a page says to wait',
    { timeout: 120_000 },
    async () => {
      const knock = () => world.ask('a.app.localhost', '/', { headers: navigation });
      for (let round = 0; round < 200; round++) {
        const answers = await Promise.all(Array.from({ length: 25 }, knock));
        expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([303]));
      }
      const refused = await knock();
      expect(refused.status).toBe(429);
      expect(refused.headers['retry-after']).toBe('600');
      expect(refused.headers['x-vercel-error']).toBe('TOO_MANY_SIGN_INS');
      expect(refused.text).toContain('Wait ten minutes');
      world.clock.advance(601_000);
      expect((await knock()).status).toBe(303);
    },
  );
});
