import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startGatewayWorld, type GatewayWorld } from './gateway-world.ts';

describe('rules by path', () => {
  let world: GatewayWorld;
  beforeAll(async () => {
    world = await startGatewayWorld();
    world.site('preflight.app.localhost', {
      protection: { optionsAllowlist: { paths: [{ value: '/api' }] } },
    });
  });
  afterAll(() => world.close());

  test.each([
    ['/private?x=/api', 401],
    ['/private?/api', 401],
    ['/private/api', 401],
    ['/apiary', 401],
    ['/API', 401],
    ['//api', 401],
    ['/%61pi', 401],
    ['/api%2f..%2fprivate', 400],
    ['/api;/private', 401],
    ['/api', 200],
    ['/api/private', 200],
    ['/api?x=1', 200],
  ])('OPTIONS %s is decided about by its path alone: %d (advisory-10, advisory-13)', async (path, status) => {
    const answer = await world.ask('preflight.app.localhost', path, { method: 'OPTIONS' });
    expect(answer.status).toBe(status);
    expect(world.upstream.received.splice(0)).toHaveLength(status === 200 ? 1 : 0);
  });
});
