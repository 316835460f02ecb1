import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { DatabaseUnavailable } from '../../packages/server/src/errors/index.ts';
import { navigation, startGatewayWorld, type GatewayWorld } from './gateway-world.ts';

let world: GatewayWorld;
beforeAll(async () => {
  world = await startGatewayWorld();
});
afterAll(() => world.close());
beforeEach(() => {
  world.upstream.received.length = 0;
});

const host = 'a.app.localhost';

describe('when the database does not answer (advisory-25, security-94)', () => {
  test('the gateway is closed, says so, and opens again', async () => {
    const jar = await world.signIn(host);
    await world.navigate(host, '/', jar);
    world.upstream.received.length = 0;
    for (const error of [new DatabaseUnavailable('down'), new Error('anything else')]) {
      world.breakDatabase(error);
      for (const at of [host, 'open.app.localhost', 'nobody.app.localhost']) {
        for (const headers of [navigation, { accept: 'application/json' }]) {
          const answer = await world.ask(at, '/', { jar, headers });
          expect(answer.status).toBe(503);
          expect(answer.headers['retry-after']).toBeDefined();
          expect(answer.text).not.toContain('anything else');
        }
      }
    }
    world.breakDatabase(undefined);
    expect(world.upstream.received).toEqual([]);
    expect((await world.navigate(host, '/', jar)).status).toBe(200);
  });
});

describe('when a key fails (security-94)', () => {
  test.each(['sign', 'verify'] as const)(
    'to %s, nothing goes on, and it is no sign-in either',
    async (what) => {
      const broken = await startGatewayWorld();
      try {
        const jar = await broken.signIn(host);
        // Of a session that this process has not seen yet: what is remembered needs no key.
        const failing = vi.spyOn(broken.keys, what).mockRejectedValue(new Error('the key is gone'));
        for (const headers of [navigation, { accept: 'application/json' }]) {
          const answer = await broken.ask(host, '/', { jar, headers });
          expect([answer.status, answer.headers.location]).toEqual([503, undefined]);
          expect(answer.text).not.toContain('the key is gone');
        }
        expect(broken.upstream.received).toEqual([]);
        failing.mockRestore();
        expect((await broken.navigate(host, '/', jar)).status).toBe(200);
      } finally {
        await broken.close();
      }
    },
  );
});
