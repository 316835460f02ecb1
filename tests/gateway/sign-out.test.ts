import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeJwt } from 'jose';
import { createCookieJar, type CookieJar } from '../harness/cookie-jar.ts';
import { ada, navigation, startGatewayWorld, type GatewayWorld } from './gateway-world.ts';

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

  test('gets a session of their own at each sign-in, whatever cookies were there before (advisory-18)', async () => {
    const names = ['_vercel_passport', '_vercel_passport_companion'];
    const valuesOf = (jar: CookieJar) =>
      names.map((name) => jar.list(host).find((cookie) => cookie.name === name)?.value ?? '');
    const sidOf = (jar: CookieJar) => decodeJwt(valuesOf(jar)[0] ?? '')['sid'];
    const eve = await world.signIn(host, createCookieJar(), { ...ada, externalSub: 'eve' });
    // A sibling, or whoever had the machine before, left a good pair behind, and the visitor signs in anew.
    const jar = createCookieJar();
    const start = await world.navigate(host, '/', jar);
    for (const [index, value] of valuesOf(eve).entries()) jar.set({ name: names[index] ?? '', value, host });
    const finished = await world.navigate(
      host,
      world.finishPath(await world.handOff(start.headers.location)),
      jar,
    );
    expect(finished.status).toBe(303);
    const [token, companion] = valuesOf(jar);
    expect(valuesOf(eve)).not.toContain(token);
    expect(valuesOf(eve)).not.toContain(companion);
    expect(sidOf(jar)).not.toBe(sidOf(eve));
    for (const [who, subject] of [
      [jar, 'ada|1'],
      [eve, 'eve'],
    ] as const) {
      await world.navigate(host, '/', who);
      const [, passed = ''] =
        world.upstream.received
          .at(-1)
          ?.headers.find(([name]) => name.toLowerCase() === 'x-vercel-oidc-passport-token') ?? [];
      expect(decodeJwt(passed)['external_sub']).toBe(subject);
    }
    // Nor does one half of a pair go with the other's.
    const mixed = `${names[0]}=${valuesOf(jar)[0]}; ${names[1]}=${valuesOf(eve)[1]}`;
    expect((await world.ask(host, '/', { headers: { cookie: mixed } })).status).toBe(401);
    const again = await world.signIn(host, createCookieJar());
    expect(sidOf(again)).not.toBe(sidOf(jar));
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
