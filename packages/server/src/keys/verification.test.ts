import { randomBytes } from 'node:crypto';
import {
  CompactSign,
  decodeProtectedHeader,
  exportSPKI,
  importJWK,
  SignJWT,
  type CryptoKey,
  type JWTPayload,
} from 'jose';
import { expect, test } from 'vitest';
import { createShiftedClock } from '#clock';
import type { Database } from '#database';
import { createSilentLogger } from '#logger';
import { createSealing } from '#sealing';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { createKeys, keyMigrations, TokenRefused, type ExpectedToken, type KeyPurpose } from './index.ts';

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

describeOnBothDatabases('verification', (openDatabase) => {
  async function start() {
    const clock = createShiftedClock();
    const database = await openDatabase(keyMigrations, clock);
    const sealing = createSealing(randomBytes(32));
    const keys = createKeys({ database, sealing, clock, logger: createSilentLogger() });
    await keys.start();
    return { keys, clock };
  }

  test('a token of one purpose and type fails as every other (security-101b)', async () => {
    const { keys, clock } = await start();
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
    const { keys, clock } = await start();
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

  test('forged headers and foreign keys are refused (security-101a)', async () => {
    const { keys, clock } = await start();
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

  test('ten thousand tokens of unknown keys ask the database at most once a second (federation-11)', async () => {
    const clock = createShiftedClock();
    const real = await openDatabase(keyMigrations, clock);
    let questions = 0;
    const count = <Answer>(answer: Answer): Answer => {
      questions++;
      return answer;
    };
    const database: Database = {
      ...real,
      find: (bound) => count(real.find(bound)),
      list: (bound) => count(real.list(bound)),
    };
    const sealing = createSealing(randomBytes(32));
    const keys = createKeys({ database, sealing, clock, logger: createSilentLogger() });
    await keys.start();
    await keys.published(allPurposes);
    const good = await keys.sign({
      purpose: 'workload',
      algorithm: 'RS256',
      type: 'JWT',
      claims: claims(clock.now()),
    });
    const [, payload = '', signature = ''] = good.split('.');
    const header = () =>
      Buffer.from(
        JSON.stringify({ alg: 'RS256', kid: randomBytes(32).toString('base64url'), typ: 'JWT' }),
      ).toString('base64url');
    questions = 0;
    const began = performance.now();
    const reasons = new Set<string>();
    for (let round = 0; round < 100; round++) {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 100 }, () => keys.verify(`${header()}.${payload}.${signature}`, expected)),
      );
      for (const outcome of outcomes) {
        reasons.add(outcome.status === 'rejected' ? (outcome.reason as TokenRefused).reason : 'accepted');
      }
    }
    // The flood's own, and the look for changes that goes on anyway.
    const seconds = Math.ceil((performance.now() - began) / 1000);
    expect([...reasons]).toEqual(['key']);
    expect(questions).toBeLessThanOrEqual(2 * seconds + 1);
    await expect(keys.verify(good, expected)).resolves.toBeDefined();
    await keys.stop();
  });
});
