import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../../packages/server/src/database/index.ts';
import { DatabaseUnavailable } from '../../packages/server/src/errors/index.ts';
import { send } from '../harness/send.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createFederationWorld, type FederationWorld } from './federation-world.ts';

describe.each(databaseKinds)('the documents of the issuers on %s', (kind) => {
  let world: FederationWorld;
  let documents: string[];
  let down = false;

  /** Refuses every question while `down`: a database that has been stopped. */
  const openStoppable: typeof openDatabase = (...parameters) => {
    const real = openDatabase(...parameters);
    const unless =
      <Parameters extends unknown[], Result>(ask: (...given: Parameters) => Promise<Result>) =>
      async (...given: Parameters): Promise<Result> => {
        if (down) throw new DatabaseUnavailable('stopped');
        return ask(...given);
      };
    return {
      ...real,
      find: unless(real.find),
      list: unless(real.list),
      write: unless(real.write),
      tryWrite: unless(real.tryWrite),
    };
  };

  beforeAll(async () => {
    world = await createFederationWorld(kind, { openDatabase: openStoppable });
    const { origin, oidc, passport } = world.tessera.urls;
    documents = [`${oidc}`, `${oidc}/acme`, `${passport}/acme`, origin].flatMap((issuer) => [
      `${issuer}/.well-known/openid-configuration`,
      `${issuer}/.well-known/jwks`,
    ]);
  });
  afterAll(() => world?.tessera.close());

  test('are JSON, direct, small, cacheable and open to every origin', async () => {
    for (const url of documents) {
      const answer = await send(url, { headers: { origin: 'https://verifier.example' } });
      expect([url, answer.status]).toEqual([url, 200]);
      expect(answer.headers['content-type']).toMatch(/^application\/json/);
      expect(answer.headers['access-control-allow-origin']).toBe('*');
      expect(answer.headers['set-cookie']).toBeUndefined();
      const age = Number(/max-age=(\d+)/.exec(answer.headers['cache-control'] ?? '')?.[1]);
      expect(age).toBeGreaterThanOrEqual(300);
      expect(age).toBeLessThanOrEqual(900);
      expect(answer.text.length).toBeLessThan(16_384);
      const tag = answer.headers.etag ?? '';
      expect(tag).toMatch(/^"[^"]+"$/);
      const again = await send(url, { headers: { 'if-none-match': tag } });
      expect([again.status, again.text]).toEqual([304, '']);
      const head = await send(url, { method: 'HEAD' });
      expect([head.status, head.headers.etag, head.text]).toEqual([200, tag, '']);
    }
  });

  test('issuer and key set address are byte for byte what the configuration says', async () => {
    const { oidc, passport } = world.tessera.urls;
    for (const issuer of [oidc, `${oidc}/acme`, `${passport}/acme`]) {
      expect((await send(`${issuer}/.well-known/openid-configuration`)).json()).toMatchObject({
        issuer,
        jwks_uri: `${issuer}/.well-known/jwks`,
      });
    }
  });

  test('key sets hold public keys alone, few, each with kid, alg and use', async () => {
    for (const url of documents.filter((document) => document.endsWith('/jwks'))) {
      const { keys } = (await send(url)).json() as { keys: Record<string, string>[] };
      expect(keys.length).toBeGreaterThan(0);
      expect(keys.length).toBeLessThanOrEqual(4);
      for (const key of keys) {
        expect(key).toMatchObject({ kid: expect.any(String), alg: expect.any(String), use: 'sig' });
        for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(key).not.toHaveProperty(member);
      }
    }
  });

  test('a forged Host or X-Forwarded-* changes no byte of them (federation-12)', async () => {
    const forged = {
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '444',
      'x-forwarded-prefix': '/evil',
      'x-forwarded-for': '203.0.113.7',
      'x-forwarded-server': 'evil.example',
      'x-original-url': '/evil',
      'x-rewrite-url': '/evil',
      forwarded: 'for=203.0.113.7;host=evil.example;proto=https',
    };
    for (const url of documents) {
      const honest = await send(url);
      const told = await send(url, { headers: forged });
      expect([told.status, told.text]).toEqual([200, honest.text]);
      expect(told.headers.etag).toBe(honest.headers.etag);
      for (const host of ['evil.example', `evil.example:${world.tessera.environment.port}`]) {
        const elsewhere = await send(url, { headers: { ...forged, host } });
        expect(elsewhere.status).toBe(404);
        expect(elsewhere.text).not.toMatch(/jwks|"keys"|issuer/);
      }
    }
  });

  test('an unknown team has none: 404 as JSON, no redirect', async () => {
    const { oidc, passport } = world.tessera.urls;
    for (const base of [oidc, passport]) {
      for (const team of ['nobody', 'ACME', 'acme%2F', world.team.id, 'acme/acme']) {
        for (const document of ['openid-configuration', 'jwks']) {
          const answer = await send(`${base}/${team}/.well-known/${document}`);
          expect([team, answer.status]).toEqual([team, 404]);
          expect(answer.headers['content-type']).toMatch(/json/);
        }
      }
    }
    expect((await send(`${oidc}/acme/.well-known/jwks`, { method: 'POST' })).status).toBe(405);
    expect((await send(`${oidc}/acme/.well-known/jwks/`)).status).toBe(404);
  });

  test('a stopped database changes nothing of them, while a token cannot be minted', async () => {
    const before = await Promise.all(documents.map(async (url) => (await send(url)).text));
    down = true;
    try {
      // Past everything that is believed for a while.
      world.tessera.advance(10 * 60_000);
      for (const [index, url] of documents.entries()) {
        const answer = await send(url);
        expect([url, answer.status]).toEqual([url, 200]);
        expect(answer.text).toBe(before[index]);
      }
      const refused = await world.mint(world.apiToken);
      expect([refused.status, refused.headers['retry-after']]).toEqual([503, expect.stringMatching(/^\d+$/)]);
    } finally {
      down = false;
    }
  });
});
