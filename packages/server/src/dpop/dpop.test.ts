import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey, type JWK } from 'jose';
import { createHash, randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { createShiftedClock } from '#clock';
import { createSealing } from '#sealing';
import { createDpop, dpopMigrations, type Dpop } from './index.ts';

type Key = { privateKey: CryptoKey; jwk: JWK; alg: string };
const keys: Record<string, Key> = {};
async function makeKey(alg: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, jwk: await exportJWK(publicKey), alg };
}
beforeAll(async () => {
  for (const alg of ['ES256', 'PS256', 'EdDSA', 'RS256']) keys[alg] = await makeKey(alg);
});
const keyOf = (alg: string): Key => keys[alg] as Key;

const url = 'https://api.example/login/oauth/token';

describeOnBothDatabases('DPoP', (openDatabase) => {
  const clock = createShiftedClock();
  async function start(): Promise<Dpop> {
    const database = await openDatabase(dpopMigrations, clock);
    return createDpop({ database, clock, sealing: createSealing(new Uint8Array(32)) });
  }
  const seconds = () => Math.floor(clock.now() / 1000);
  async function prove(
    more: { claims?: Record<string, unknown>; header?: Record<string, unknown>; alg?: string } = {},
  ): Promise<string> {
    const key = keyOf(more.alg ?? 'ES256');
    const claims = { htm: 'POST', htu: url, iat: seconds(), jti: randomUUID(), ...more.claims };
    return new SignJWT(JSON.parse(JSON.stringify(claims)) as Record<string, unknown>)
      .setProtectedHeader({ alg: key.alg, typ: 'dpop+jwt', jwk: key.jwk, ...more.header })
      .sign(key.privateKey);
  }
  const verify = (dpop: Dpop, proof: string, needsNonce = false) =>
    dpop.verifyRequest({ proof, method: 'POST', url }, needsNonce);

  test('accepts a proof of each algorithm, at ten seconds either side, however its address is written', async () => {
    const dpop = await start();
    for (const alg of ['ES256', 'PS256', 'EdDSA']) {
      expect(await verify(dpop, await prove({ alg }))).toMatch(/^[\w-]{43}$/);
    }
    for (const iat of [seconds() - 10, seconds() + 10]) {
      expect(await verify(dpop, await prove({ claims: { iat } }))).toBeDefined();
    }
    for (const htu of [`${url}?a=b#c`, 'HTTPS://API.example:443/login/oauth/token']) {
      expect(await verify(dpop, await prove({ claims: { htu } }))).toBeDefined();
    }
    expect(await dpop.verifyRequest({ proof: undefined, method: 'POST', url }, true)).toBeUndefined();
  });

  test('refuses whatever is wrong with a proof (security-28)', async () => {
    const dpop = await start();
    const { privateKey } = keyOf('ES256');
    const secretJwk = await exportJWK(privateKey);
    const unsigned = new UnsecuredJWT({ htm: 'POST', htu: url, jti: 'x' }).setIssuedAt().encode();
    const [head = '', body = '', signature = ''] = (await prove()).split('.');
    const other = await prove({ claims: { jti: 'other' } });
    const wrong: Record<string, string> = {
      'no JWT': 'proof',
      'two proofs': `${await prove()}, ${await prove()}`,
      unsigned,
      'typ of another kind': await prove({ header: { typ: 'JWT' } }),
      'no key': await prove({ header: { jwk: undefined } }),
      'a private key': await prove({ header: { jwk: secretJwk } }),
      'another key': await prove({ header: { jwk: (await makeKey('ES256')).jwk } }),
      'another claim set': `${head}.${other.split('.')[1] ?? ''}.${signature}`,
      'a cut signature': `${head}.${body}.${signature.slice(0, -4)}`,
      RS256: await prove({ alg: 'RS256' }),
      htm: await prove({ claims: { htm: 'GET' } }),
      'htm in small letters': await prove({ claims: { htm: 'post' } }),
      htu: await prove({ claims: { htu: `${url}/revoke` } }),
      'no htu': await prove({ claims: { htu: undefined } }),
      'htu with a user': await prove({ claims: { htu: 'https://a:b@api.example/login/oauth/token' } }),
      'no iat': await prove({ claims: { iat: undefined } }),
      'iat as text': await prove({ claims: { iat: String(seconds()) } }),
      'old iat': await prove({ claims: { iat: seconds() - 61 } }),
      'iat to come': await prove({ claims: { iat: seconds() + 60 } }),
      exp: await prove({ claims: { exp: seconds() - 1 } }),
      nbf: await prove({ claims: { nbf: seconds() + 60 } }),
      'no jti': await prove({ claims: { jti: undefined } }),
      'jti as a number': await prove({ claims: { jti: 7 } }),
      'a long jti': await prove({ claims: { jti: 'x'.repeat(513) } }),
      crit: await prove({ header: { crit: ['exp'], exp: 1 } }).catch(() => 'a.b.c'),
    };
    for (const [what, proof] of Object.entries(wrong)) {
      await expect(verify(dpop, proof), what).rejects.toMatchObject({
        error: 'invalid_dpop_proof',
        status: 400,
      });
    }
  });

  test('counts each proof once, of any number at once (security-28)', async () => {
    const dpop = await start();
    const proof = await prove();
    const tries = await Promise.allSettled(Array.from({ length: 100 }, () => verify(dpop, proof)));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(verify(dpop, proof)).rejects.toMatchObject({ error: 'invalid_dpop_proof' });
    // A jti is one key's own: a stranger cannot use up another's.
    expect(await verify(dpop, await prove({ claims: { jti: 'same' } }))).toBeDefined();
    expect(await verify(dpop, await prove({ claims: { jti: 'same' }, alg: 'EdDSA' }))).toBeDefined();
  });

  test('takes a nonce of ours for five minutes and more, and asks for it where it is needed', async () => {
    const dpop = await start();
    const asked = await verify(dpop, await prove(), true).catch((error: unknown) => error);
    expect(asked).toMatchObject({ error: 'use_dpop_nonce', headers: { 'dpop-nonce': dpop.currentNonce() } });
    const nonce = dpop.currentNonce();
    expect(await verify(dpop, await prove({ claims: { nonce } }), true)).toBeDefined();
    await expect(verify(dpop, await prove({ claims: { nonce: 'made-up' } }))).rejects.toMatchObject({
      error: 'use_dpop_nonce',
    });
    await expect(verify(dpop, await prove({ claims: { nonce: 7 } }))).rejects.toMatchObject({
      error: 'invalid_dpop_proof',
    });
    clock.advance(5 * 60_000);
    expect(await verify(dpop, await prove({ claims: { nonce } }), true)).toBeDefined();
    clock.advance(10 * 60_000);
    await expect(verify(dpop, await prove({ claims: { nonce } }), true)).rejects.toMatchObject({
      error: 'use_dpop_nonce',
    });
  });

  test('ties a token to its key at a resource (security-28)', async () => {
    const dpop = await start();
    const accessToken = 'vca_token';
    const ath = createHash('sha256').update(accessToken).digest('base64url');
    const boundTo = (await verify(dpop, await prove())) as string;
    const present = async (more: Record<string, unknown>) =>
      dpop.verifySender({
        scheme: 'dPoP',
        accessToken,
        boundTo,
        proof: await prove({ claims: { ath } }),
        method: 'POST',
        url,
        ...more,
      });
    await present({});
    await dpop.verifySender({
      scheme: 'Bearer',
      accessToken,
      boundTo: undefined,
      proof: undefined,
      method: 'POST',
      url,
    });
    const wrong: Record<string, Record<string, unknown>> = {
      'as a bearer token': { scheme: 'Bearer' },
      'without a proof': { proof: undefined },
      'without ath': { proof: await prove() },
      'ath of another token': { accessToken: 'vca_other' },
      'another key': { proof: await prove({ claims: { ath }, alg: 'EdDSA' }) },
      'a token without a key': { boundTo: undefined },
    };
    for (const [what, more] of Object.entries(wrong)) {
      await expect(present(more), what).rejects.toMatchObject({
        status: 401,
        headers: { 'www-authenticate': expect.stringMatching(/^DPoP error="/) as string },
      });
    }
  });
});
