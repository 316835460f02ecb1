import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createShiftedClock } from '#clock';
import type { Database } from '#database';
import { DatabaseUnavailable } from '#errors';
import { createKeys, keyMigrations } from '#keys';
import { createSilentLogger } from '#logger';
import { createSealing } from '#sealing';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { createOidcDoor, createPassportDoor } from './index.ts';

const urls = { oidc: 'https://id.example.com/oidc', passport: 'https://id.example.com/passport' };
const discoveryPath = '/.well-known/openid-configuration';
const keySetPath = '/.well-known/jwks';

describeOnBothDatabases('issuers', (openDatabase) => {
  async function start() {
    const clock = createShiftedClock();
    const real = await openDatabase(keyMigrations, clock);
    let down = false;
    const questions: string[] = [];
    const refuse = async () => Promise.reject(new DatabaseUnavailable('stopped'));
    const database: Database = {
      ...real,
      list: (bound) => (down ? refuse() : real.list(bound)),
      find: (bound) => (down ? refuse() : real.find(bound)),
    };
    const keys = createKeys({
      database,
      clock,
      sealing: createSealing(randomBytes(32)),
      logger: createSilentLogger(),
    });
    await keys.start();
    const needs = {
      keys,
      clock,
      urls,
      async findTeam(slug: string) {
        questions.push(slug);
        if (down) await refuse();
        return slug === 'acme' ? { id: 'team_1' } : undefined;
      },
    };
    const setDown = () => {
      down = true;
    };
    return {
      keys,
      clock,
      oidc: createOidcDoor(needs),
      passport: createPassportDoor(needs),
      questions,
      setDown,
    };
  }

  test('the discovery document of each issuer says its own name, and no more than exists', async () => {
    const { oidc, passport } = await start();
    const documents = [
      { door: oidc, path: discoveryPath, issuer: urls.oidc },
      { door: oidc, path: `/acme${discoveryPath}`, issuer: `${urls.oidc}/acme` },
      { door: passport, path: `/acme${discoveryPath}`, issuer: `${urls.passport}/acme` },
    ];
    for (const { door, path, issuer } of documents) {
      const answer = await door.request(path);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('application/json');
      expect(await answer.json()).toEqual({
        issuer,
        jwks_uri: `${issuer}/.well-known/jwks`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: door === passport ? ['RS256'] : ['RS256', 'ES256'],
        claims_supported: expect.arrayContaining(['iss', 'sub', 'aud', 'exp', 'owner_id', 'project_id']),
        scopes_supported: ['openid'],
      });
    }
  });

  test('the key set for all lists workload and Passport keys, a team’s only its own kind', async () => {
    const { oidc, passport, keys } = await start();
    const kids = async (door: typeof oidc, path: string) => {
      const { keys: listed } = (await (await door.request(path)).json()) as { keys: { kid: string }[] };
      return listed.map(({ kid }) => kid);
    };
    const workload = (await keys.published(['workload'])).map(({ kid }) => kid);
    const visitors = (await keys.published(['passport'])).map(({ kid }) => kid);
    expect(await kids(oidc, keySetPath)).toEqual([...workload, ...visitors]);
    expect(await kids(oidc, `/acme${keySetPath}`)).toEqual(workload);
    expect(await kids(passport, `/acme${keySetPath}`)).toEqual(visitors);
  });

  test('every document may be cached, revalidated, and read from anywhere', async () => {
    const { oidc } = await start();
    for (const path of [discoveryPath, keySetPath, `/acme${discoveryPath}`, `/acme${keySetPath}`]) {
      const answer = await oidc.request(path);
      const tag = answer.headers.get('etag') ?? '';
      expect(tag).toMatch(/^"[\w-]{20,}"$/);
      expect(answer.headers.get('cache-control')).toBe('public, max-age=600');
      expect(answer.headers.get('access-control-allow-origin')).toBe('*');
      for (const condition of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
        const revalidated = await oidc.request(path, { headers: { 'if-none-match': condition } });
        expect(revalidated.status).toBe(304);
        expect(await revalidated.text()).toBe('');
        expect(revalidated.headers.get('etag')).toBe(tag);
        expect(revalidated.headers.get('cache-control')).toBe('public, max-age=600');
      }
      expect((await oidc.request(path, { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
      const head = await oidc.request(path, { method: 'HEAD' });
      expect([head.status, head.headers.get('etag'), await head.text()]).toEqual([200, tag, '']);
      expect((await oidc.request(path, { method: 'OPTIONS' })).status).toBe(204);
    }
  });

  test('no header of a request changes a byte', async () => {
    const { oidc, passport } = await start();
    const forged = {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
      'x-forwarded-prefix': '/evil',
      'x-original-host': 'evil.example',
      forwarded: 'host=evil.example;proto=http',
      origin: 'https://evil.example',
    };
    for (const [door, path] of [
      [oidc, discoveryPath],
      [oidc, `/acme${discoveryPath}`],
      [passport, `/acme${discoveryPath}`],
    ] as const) {
      const honest = await (await door.request(path)).text();
      expect(await (await door.request(`http://evil.example${path}`, { headers: forged })).text()).toBe(
        honest,
      );
    }
  });

  test('an unknown team is 404 in JSON, without a redirect', async () => {
    const { oidc, passport } = await start();
    const paths = ['/nobody', '/ACME', '/acme%2f..', '/team_1', '/oidc', '/%00'];
    for (const door of [oidc, passport]) {
      for (const path of paths) {
        const answer = await door.request(`${path}${keySetPath}`);
        expect([path, answer.status]).toEqual([path, 404]);
        expect(answer.headers.get('content-type')).toBe('application/problem+json');
        expect(answer.headers.get('cache-control')).toBe('no-store');
      }
      for (const path of [`/acme${keySetPath}/`, `/acme/acme${keySetPath}`, `//${keySetPath}`]) {
        expect((await door.request(path)).status).toBe(404);
      }
    }
  });

  test('documents are served while the database is down', async () => {
    const { oidc, passport, clock, setDown } = await start();
    const paths = [
      [oidc, discoveryPath],
      [oidc, keySetPath],
      [oidc, `/acme${discoveryPath}`],
      [oidc, `/acme${keySetPath}`],
      [passport, `/acme${keySetPath}`],
    ] as const;
    const before = await Promise.all(
      paths.map(async ([door, path]) => {
        const answer = await door.request(path);
        return { tag: answer.headers.get('etag'), text: await answer.text() };
      }),
    );
    setDown();
    clock.advance(3_600_000);
    for (const [index, [door, path]] of paths.entries()) {
      const answer = await door.request(path);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('etag')).toBe(before[index]?.tag);
      expect(await answer.text()).toBe(before[index]?.text);
      const tag = before[index]?.tag ?? '';
      expect((await door.request(path, { headers: { 'if-none-match': tag } })).status).toBe(304);
    }
    // Nobody can tell whether there is such a team: neither its keys nor their absence may be guessed.
    for (const path of [`/seen-by-another-node${keySetPath}`, `/seen-by-another-node${discoveryPath}`]) {
      const answer = await oidc.request(path);
      expect([answer.status, answer.headers.get('cache-control')]).toEqual([503, 'no-store']);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect((await oidc.request(`/NoName${keySetPath}`)).status).toBe(404);
  });

  test('a team is asked for once a minute, however often verifiers come', async () => {
    const { oidc, questions, clock } = await start();
    for (let request = 0; request < 20; request++) await oidc.request(`/acme${keySetPath}`);
    expect(questions).toHaveLength(1);
    clock.advance(61_000);
    for (let request = 0; request < 20; request++) await oidc.request(`/acme${keySetPath}`);
    expect(questions).toHaveLength(2);
  });
});
