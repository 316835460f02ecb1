import { randomBytes } from 'node:crypto';
import { calculateJwkThumbprint, createLocalJWKSet, jwtVerify, type JWTPayload } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createShiftedClock } from '#clock';
import { migrate, openDatabase, type Database } from '#database';
import { DatabaseUnavailable } from '#errors';
import { createSilentLogger } from '#logger';
import { createSealing } from '#sealing';
import {
  addressOf,
  createTestDatabase,
  databaseKinds,
  type TestDatabase,
} from '../../../../tests/harness/test-databases.ts';
import { createKeys, keyMigrations, type ExpectedToken, type KeyPurpose } from './index.ts';

const masterKey = randomBytes(32);

const issuer = 'https://id.example.com/oidc/acme';
const expected: ExpectedToken = {
  purpose: 'workload',
  type: 'JWT',
  issuer,
  audience: 'https://id.example.com/acme',
};

function claims(now: number, extra: JWTPayload = {}): JWTPayload {
  const seconds = Math.floor(now / 1000);
  return {
    iss: issuer,
    aud: 'https://id.example.com/acme',
    sub: 'x',
    iat: seconds,
    exp: seconds + 600,
    ...extra,
  };
}

const allPurposes: KeyPurpose[] = ['id-token', 'workload', 'passport'];

describe.each(databaseKinds)('signing keys on %s', (kind) => {
  let place: TestDatabase;
  const open: Database[] = [];

  beforeEach(async () => {
    place = await createTestDatabase(kind);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((database) => database.close()));
    await place.remove();
  });

  /** One more process on the same database. */
  async function newProcess(key: Uint8Array = masterKey) {
    const clock = createShiftedClock();
    const real = openDatabase(addressOf(place), clock);
    open.push(real);
    await migrate(real, keyMigrations);
    let down = false;
    const refuse = async () => Promise.reject(new DatabaseUnavailable('stopped'));
    const database: Database = {
      ...real,
      list: (bound) => (down ? refuse() : real.list(bound)),
      find: (bound) => (down ? refuse() : real.find(bound)),
    };
    const keys = createKeys({ database, sealing: createSealing(key), clock, logger: createSilentLogger() });
    const stopDatabase = () => {
      down = true;
    };
    return { keys, clock, database: real, stopDatabase };
  }

  test('the first start makes one RSA key a purpose, whose kid is its thumbprint, and ES256 for workloads', async () => {
    const { keys } = await newProcess();
    await keys.start();
    const published = await keys.published(allPurposes);
    expect(published).toHaveLength(4);
    expect(new Set(published.map((key) => key.kid)).size).toBe(4);
    const [elliptic] = published.filter((key) => key.kty === 'EC');
    expect(elliptic).toMatchObject({ crv: 'P-256', alg: 'ES256', use: 'sig' });
    expect((await keys.published(['workload'])).map(({ alg }) => alg)).toEqual(['RS256', 'ES256']);
    for (const key of published.filter(({ kty }) => kty !== 'EC')) {
      expect(key).toMatchObject({ kty: 'RSA', alg: 'RS256', use: 'sig', e: 'AQAB' });
      expect(Object.keys(key).toSorted()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
      expect(key.kid).toBe(await calculateJwkThumbprint(key));
      expect(Buffer.from(key.n ?? '', 'base64url')).toHaveLength(256);
    }
  });

  test('two processes that start together agree on the keys (security-101c)', async () => {
    const [first, second] = [await newProcess(), await newProcess()];
    await Promise.all([first.keys.start(), second.keys.start()]);
    const [ours, theirs] = await Promise.all([
      first.keys.published(allPurposes),
      second.keys.published(allPurposes),
    ]);
    expect(ours).toEqual(theirs);
    const jwt = await first.keys.sign({
      purpose: 'workload',
      algorithm: 'RS256',
      type: 'JWT',
      claims: claims(Date.now()),
    });
    await expect(second.keys.verify(jwt, expected)).resolves.toMatchObject({ sub: 'x' });
  });

  test('a restart keeps the keys (security-101c)', async () => {
    const first = await newProcess();
    await first.keys.start();
    const before = await first.keys.published(allPurposes);
    const second = await newProcess();
    await second.keys.start();
    expect(await second.keys.published(allPurposes)).toEqual(before);
  });

  test('another master key does not start, and the error says what to do', async () => {
    const first = await newProcess();
    await first.keys.start();
    await first.keys.published(allPurposes);
    const second = await newProcess(randomBytes(32));
    await expect(second.keys.start()).rejects.toThrow(
      /does not open with this master key.*TESSERA_MASTER_KEY/s,
    );
  });

  test('no private half is in the database in the clear (security-101c)', async () => {
    const { keys, database } = await newProcess();
    await keys.start();
    await keys.published(allPurposes);
    const rows = await database.list<{ sealedPrivateJwk: string; publicJwk: string }>(
      database.statement<Record<never, never>>()(() =>
        database.queries<{ signingKeys: Record<string, string> }>().selectFrom('signingKeys').selectAll(),
      )({}) as never,
    );
    expect(rows).toHaveLength(5);
    for (const row of rows) {
      expect(row.sealedPrivateJwk).not.toMatch(/"d"|"p"|"kty"/);
      expect(JSON.parse(row.publicJwk)).not.toHaveProperty('d');
    }
  });

  test.each(['PS256', 'ES256', 'EdDSA'] as const)(
    'an ID token key for %s is made when first needed',
    async (algorithm) => {
      const { keys, clock } = await newProcess();
      await keys.start();
      const jwts = await Promise.all(
        [1, 2, 3].map(() =>
          keys.sign({ purpose: 'id-token', algorithm, type: 'JWT', claims: claims(clock.now()) }),
        ),
      );
      const published = await keys.published(['id-token']);
      expect(published.map((key) => key.alg)).toContain(algorithm);
      expect(published).toHaveLength(2);
      for (const jwt of jwts) {
        const { protectedHeader } = await jwtVerify(jwt, createLocalJWKSet({ keys: [...published] }), {
          issuer,
        });
        expect(protectedHeader).toEqual({ alg: algorithm, kid: published[1]?.kid, typ: 'JWT' });
        await expect(keys.verify(jwt, { ...expected, purpose: 'id-token' })).resolves.toBeDefined();
      }
    },
  );

  test('a key that clouds would stumble over is never made for workloads', async () => {
    const { keys, clock } = await newProcess();
    await keys.start();
    await expect(
      keys.sign({ purpose: 'workload', algorithm: 'EdDSA', type: 'JWT', claims: claims(clock.now()) }),
    ).rejects.toThrow(/never made/);
  });

  test('the key set is served from the last good copy while the database is down', async () => {
    const { keys, clock, stopDatabase } = await newProcess();
    await keys.start();
    const before = await keys.published(allPurposes);
    stopDatabase();
    clock.advance(3_600_000);
    expect(await keys.published(allPurposes)).toEqual(before);
  });

  test('a process that never saw the keys says that the database is down', async () => {
    const { keys, stopDatabase } = await newProcess();
    stopDatabase();
    await expect(keys.published(['workload'])).rejects.toBeInstanceOf(DatabaseUnavailable);
  });

  test('a key made by another node is found as soon as a token names it', async () => {
    const [first, second] = [await newProcess(), await newProcess()];
    await Promise.all([first.keys.start(), second.keys.start()]);
    await second.keys.published(allPurposes);
    const jwt = await first.keys.sign({
      purpose: 'workload',
      algorithm: 'ES256',
      type: 'JWT',
      claims: claims(Date.now()),
    });
    second.clock.advance(1_500);
    await expect(second.keys.verify(jwt, expected)).resolves.toMatchObject({ sub: 'x' });
  });
});
