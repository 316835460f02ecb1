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

  test('are counted by line, of however many networks, and by project', async () => {
    const behind = await startGatewayWorld({ trustProxy: ['127.0.0.1'] });
    const knock = async (from: string, host = 'a.app.localhost') =>
      (await behind.ask(host, '/', { headers: { ...navigation, 'x-forwarded-for': from } })).status;
    const count = (name: string, key: string, tries: number) =>
      behind.database.write(
        Array.from({ length: tries }, () => behind.limits.count(name, key, 50_000, 600_000)),
      );
    expect(await knock('2001:db8:1::1')).toBe(303);
    await count('visit-start', '2001:db8:1::/48', 4_999);
    expect(await knock('2001:db8:1:ffff::1')).toBe(429);
    expect(await knock('2001:db8:2::1')).toBe(303);
    await count('visit-start-project', 'prj_a', 49_998);
    expect(await knock('2001:db8:3::1')).toBe(429);
    expect(await knock('2001:db8:3::1', 'other-project.app.localhost')).toBe(303);
    await behind.close();
  });
});
