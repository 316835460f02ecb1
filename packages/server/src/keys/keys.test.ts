import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  calculateJwkThumbprint,
  CompactSign,
  createLocalJWKSet,
  decodeProtectedHeader,
  exportSPKI,
  importJWK,
  jwtVerify,
  SignJWT,
  type CryptoKey,
  type JWTPayload,
} from 'jose';
import { createShiftedClock } from '#clock';
import { migrate, openDatabase, type Database } from '#database';
import { DatabaseUnavailable } from '#errors';
import { createSilentLogger } from '#logger';
import { createSealing } from '#sealing';
import { createKeys, keyMigrations, TokenRefused, type ExpectedToken, type KeyPurpose } from './index.ts';

let folder: string;
const open: Database[] = [];
const masterKey = randomBytes(32);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tessera-keys-'));
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((database) => database.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function newProcess(key: Uint8Array = masterKey) {
  const clock = createShiftedClock();
  const real = openDatabase({ dialect: 'sqlite', path: join(folder, 'tessera.sqlite') }, clock);
  open.push(real);
  await migrate(real, keyMigrations);
  let down = false;
  const refuse = async () => Promise.reject(new DatabaseUnavailable('stopped'));
  const database: Database = {
    ...real,
    list: (bound) => (down ? refuse() : real.list(bound)),
    write: (unit) => (down ? refuse() : real.write(unit)),
  };
  const keys = createKeys({ database, sealing: createSealing(key), clock, logger: createSilentLogger() });
  return {
    keys,
    clock,
    database: real,
    stopDatabase() {
      down = true;
    },
  };
}

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

describe('signing keys', () => {
  test('the first start makes one RSA key a purpose, whose kid is its thumbprint', async () => {
    const { keys } = await newProcess();
    await keys.start();
    const published = await keys.published(allPurposes);
    expect(published).toHaveLength(3);
    expect(new Set(published.map((key) => key.kid)).size).toBe(3);
    for (const key of published) {
      expect(key).toMatchObject({ kty: 'RSA', alg: 'RS256', use: 'sig', e: 'AQAB' });
      expect(Object.keys(key).toSorted()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
      expect(key.kid).toBe(await calculateJwkThumbprint(key));
      expect(Buffer.from(key.n ?? '', 'base64url')).toHaveLength(256);
    }
  });

  test('two processes that start together agree on the keys', async () => {
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

  test('a restart keeps the keys', async () => {
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

  test('no private half is in the database in the clear', async () => {
    const { keys, database } = await newProcess();
    await keys.start();
    await keys.published(allPurposes);
    const rows = await database.list<{ sealedPrivateJwk: string; publicJwk: string }>(
      database.statement<Record<never, never>>()(() =>
        database.queries<{ signingKeys: Record<string, string> }>().selectFrom('signingKeys').selectAll(),
      )({}) as never,
    );
    expect(rows).toHaveLength(3);
    for (const row of rows) {
      expect(row.sealedPrivateJwk).not.toMatch(/"d"|"p"|kty/);
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

describe('verification', () => {
  test('a token of one purpose and type fails as every other', async () => {
    const { keys, clock } = await newProcess();
    await keys.start();
    const types = ['JWT', 'passport-session+jwt', 'at+jwt', 'logout+jwt'];
    const kinds = allPurposes.flatMap((purpose) => types.map((type) => ({ purpose, type })));
    for (const kind of kinds) {
      const jwt = await keys.sign({ ...kind, algorithm: 'RS256', claims: claims(clock.now()) });
      const verified = await Promise.allSettled(
        kinds.map((other) => keys.verify(jwt, { ...expected, ...other })),
      );
      expect(kinds.filter((_, index) => verified[index]?.status === 'fulfilled')).toEqual([kind]);
      const refused = verified.filter((outcome) => outcome.status === 'rejected');
      expect(refused.every(({ reason }) => reason instanceof TokenRefused)).toBe(true);
    }
  });

  test('issuer, audience, times and subject are checked exactly', async () => {
    const { keys, clock } = await newProcess();
    await keys.start();
    const now = clock.now();
    const seconds = Math.floor(now / 1000);
    const sign = (extra: JWTPayload) =>
      keys.sign({ purpose: 'workload', algorithm: 'RS256', type: 'JWT', claims: claims(now, extra) });
    const cases: [JWTPayload, string][] = [
      [{ iss: `${issuer}/` }, 'issuer'],
      [{ iss: issuer.toUpperCase() }, 'issuer'],
      [{ iss: `${issuer}-evil` }, 'issuer'],
      [{ aud: 'https://id.example.com/acme2' }, 'audience'],
      [{ aud: ['https://id.example.com/acme/'] }, 'audience'],
      [{ exp: seconds }, 'expired'],
      [{ nbf: seconds + 60 }, 'not-yet'],
    ];
    for (const [extra, reason] of cases) {
      await expect(keys.verify(await sign(extra), expected)).rejects.toMatchObject({ reason });
    }
    const { sub: _, ...withoutSubject } = claims(now);
    const jwt = await keys.sign({
      purpose: 'workload',
      algorithm: 'RS256',
      type: 'JWT',
      claims: withoutSubject,
    });
    await expect(keys.verify(jwt, expected)).rejects.toMatchObject({ reason: 'claims' });
    await expect(
      keys.verify(await sign({ exp: seconds - 86_400 }), { ...expected, acceptExpired: true }),
    ).resolves.toBeDefined();
  });

  test('forged headers and foreign keys are refused', async () => {
    const { keys, clock } = await newProcess();
    await keys.start();
    const good = await keys.sign({
      purpose: 'workload',
      algorithm: 'RS256',
      type: 'JWT',
      claims: claims(clock.now()),
    });
    const [header = '', payload = '', signature = ''] = good.split('.');
    const { kid } = decodeProtectedHeader(good);
    const [publicJwk] = await keys.published(['workload']);
    const publicKey = (await importJWK({ ...publicJwk, ext: true }, 'RS256')) as CryptoKey;
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const hmac = await new SignJWT(claims(clock.now()))
      .setProtectedHeader({ alg: 'HS256', kid: kid as string, typ: 'JWT' })
      .sign(new TextEncoder().encode(await exportSPKI(publicKey)));
    const foreign = await new CompactSign(Buffer.from(payload, 'base64url'))
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: 'unknown' })
      .sign(randomBytes(32));
    const members = {
      crit: ['b64'],
      jku: 'https://evil.example',
      jwk: publicJwk,
      x5u: 'x',
      x5c: ['x'],
      zip: 'DEF',
      p2c: 1,
      cty: 'JWT',
    };
    const forged: [string, string][] = [
      [hmac, 'algorithm'],
      [foreign, 'key'],
      [`${encode({ alg: 'none', kid, typ: 'JWT' })}.${payload}.`, 'malformed'],
      [`${encode({ alg: 'none', kid, typ: 'JWT' })}.${payload}.${signature}`, 'algorithm'],
      [`${encode({ alg: 'rs256', kid, typ: 'JWT' })}.${payload}.${signature}`, 'algorithm'],
      [`${encode({ alg: 'PS256', kid, typ: 'JWT' })}.${payload}.${signature}`, 'algorithm'],
      [`${encode({ alg: 'RS256', kid, typ: 'jwt' })}.${payload}.${signature}`, 'type'],
      [`${header}.${encode({ ...claims(clock.now()), sub: 'y' })}.${signature}`, 'signature'],
      [`${header}.${payload}.${signature.slice(0, -4)}AAAA`, 'signature'],
      [`${header}.${payload}`, 'malformed'],
      [JSON.stringify({ protected: header, payload, signature }), 'malformed'],
      ['', 'malformed'],
      [`${good}${'A'.repeat(17_000)}`, 'malformed'],
      [`!${good}`, 'malformed'],
      ...Object.entries(members).map(([name, value]): [string, string] => [
        `${encode({ alg: 'RS256', kid, typ: 'JWT', [name]: value })}.${payload}.${signature}`,
        'malformed',
      ]),
    ];
    const outcomes = await Promise.all(
      forged.map(async ([jwt]) =>
        keys.verify(jwt, expected).then(
          () => 'accepted',
          (error: TokenRefused) => error.reason,
        ),
      ),
    );
    expect(outcomes).toEqual(forged.map(([, reason]) => reason));
  });
});
