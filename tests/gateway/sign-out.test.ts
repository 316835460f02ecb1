import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCookieJar } from '../harness/cookie-jar.ts';
import { navigation, startGatewayWorld, type GatewayWorld } from './gateway-world.ts';

let world: GatewayWorld;
beforeAll(async () => {
  world = await startGatewayWorld();
});
afterAll(() => world.close());

const host = 'a.app.localhost';

describe('a visitor', () => {
  test('signs out by their own link, at once and for good (advisory-18, advisory-26)', async () => {
    const jar = await world.signIn(host);
    const copy = createCookieJar();
    for (const { name, value } of jar.list(host)) copy.set({ name, value, host });

    const foreign = await world.navigate(host, world.wire.signOutPath, jar, {
      'sec-fetch-site': 'cross-site',
    });
    expect(foreign.status).toBe(200);
    expect(foreign.text).toContain('id="sign-out"');
    expect((await world.navigate(host, '/', jar)).status).toBe(200);

    const forged = await world.ask(host, world.wire.signOutPath, {
      method: 'POST',
      jar,
      headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    });
    expect(forged.status).toBe(403);

    const out = await world.navigate(host, world.wire.signOutPath, jar);
    expect(out.status).toBe(200);
    expect(out.text).toContain('signed out');
    expect(jar.list(host).map(({ name }) => name)).not.toContain('_vercel_passport');
    expect((await world.navigate(host, '/', copy)).status).toBe(303);
  });

  test('is not signed out by what loads the address without showing it', async () => {
    const jar = await world.signIn(host);
    const loads: Record<string, string>[] = [
      { accept: 'image/*', 'sec-fetch-mode': 'no-cors', 'sec-fetch-site': 'same-origin' },
      { accept: 'image/*' },
      { ...navigation, 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' },
      { ...navigation, 'sec-purpose': 'prefetch', 'sec-fetch-site': 'same-origin' },
      { ...navigation, 'sec-purpose': 'prefetch;prerender' },
    ];
    for (const headers of loads) {
      const loaded = await world.ask(host, world.wire.signOutPath, { jar, headers });
      expect(loaded.text).toContain('id="sign-out"');
      expect((await world.navigate(host, '/', jar)).status).toBe(200);
    }
  });
});
