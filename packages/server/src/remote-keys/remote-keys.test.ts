import { exportJWK, generateKeyPair, jwtVerify, SignJWT, type CryptoKey, type JWK } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { createShiftedClock } from '#clock';
import { createRemoteKeys, RemoteKeysFailure } from './index.ts';

const uri = 'https://idp.example/jwks';

type Pair = { kid: string; privateKey: CryptoKey; jwk: JWK };
let first: Pair;
let second: Pair;

async function makePair(kid: string, alg = 'ES256'): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

beforeAll(async () => {
  first = await makePair('first');
  second = await makePair('second');
});

function provider(keys: JWK[]) {
  const clock = createShiftedClock();
  const state = {
    keys: keys as unknown[],
    asked: 0,
    down: false,
    body: undefined as string | undefined,
    status: 200,
  };
  const remoteKeys = createRemoteKeys({
    clock,
    async fetch() {
      state.asked += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (state.down) throw new Error('no answer of idp.example');
      return new Response(state.body ?? JSON.stringify({ keys: state.keys }), { status: state.status });
    },
  });
  const verify = async (pair: Pair, kid = pair.kid) => {
    const token = await new SignJWT({}).setProtectedHeader({ alg: 'ES256', kid }).sign(pair.privateKey);
    return jwtVerify(token, remoteKeys.at(uri), { algorithms: ['ES256'] });
  };
  return { clock, state, remoteKeys, verify };
}

async function reasonOf(answer: Promise<unknown>): Promise<string> {
  const error: unknown = await answer.then(
    () => 'no failure',
    (reason: unknown) => reason,
  );
  return error instanceof RemoteKeysFailure ? error.reason : String(error);
}

describe('remote keys', () => {
  it('fetches once for many who ask at the same time (security-79)', async () => {
    const { state, verify } = provider([first.jwk]);
    await Promise.all(Array.from({ length: 50 }, () => verify(first)));
    expect(state.asked).toBe(1);
  });

  it('finds a new key when it meets it, and looks for unknown ones at most every 30 seconds (security-79, advisory-extra: key rotation)', async () => {
    const { clock, state, verify } = provider([first.jwk]);
    await verify(first);
    state.keys = [first.jwk, second.jwk];
    expect(await reasonOf(verify(second))).toBe('unknown_key');
    expect(state.asked).toBe(1);
    clock.advance(30_000);
    await Promise.all(Array.from({ length: 20 }, () => verify(second)));
    expect(state.asked).toBe(2);
    const storm = Array.from({ length: 50 }, (_, index) => reasonOf(verify(first, `made-up-${index}`)));
    expect(new Set(await Promise.all(storm))).toEqual(new Set(['unknown_key']));
    expect(state.asked).toBe(2);
    clock.advance(30_000);
    await Promise.all(Array.from({ length: 50 }, (_, index) => reasonOf(verify(first, `made-up-${index}`))));
    expect(state.asked).toBe(3);
  });

  it('uses the last good set while the provider is down, for a day (security-79)', async () => {
    const { clock, state, verify } = provider([first.jwk]);
    await verify(first);
    state.down = true;
    clock.advance(11 * 60_000);
    await verify(first);
    await verify(first);
    expect(state.asked).toBe(2);
    clock.advance(23 * 60 * 60_000);
    await verify(first);
    clock.advance(60 * 60_000);
    expect(await reasonOf(verify(first))).toBe('unreachable');
    state.down = false;
    await verify(first);
  });

  it('drops a key that the provider withdrew once the set is fetched again', async () => {
    const { clock, state, verify } = provider([first.jwk, second.jwk]);
    await verify(second);
    state.keys = [first.jwk];
    clock.advance(10 * 60_000);
    expect(await reasonOf(verify(second))).toBe('unknown_key');
  });

  it('refuses what is no key set, and one of more than 100 keys', async () => {
    for (const body of ['<html>', '[]', '{}', '{"keys":{}}', '{"keys":[1]}', 'null']) {
      const { state, verify } = provider([]);
      state.body = body;
      expect(await reasonOf(verify(first))).toBe('malformed');
    }
    const { state, verify } = provider([]);
    state.status = 404;
    expect(await reasonOf(verify(first))).toBe('unreachable');
    const full = provider(Array.from({ length: 101 }, (_, index) => ({ ...first.jwk, kid: `${index}` })));
    expect(await reasonOf(full.verify(first, '1'))).toBe('too_many');
    const fits = provider(Array.from({ length: 100 }, (_, index) => ({ ...first.jwk, kid: `${index}` })));
    await fits.verify(first, '99');
  });

  it('takes no symmetric, private or ambiguous key', async () => {
    const symmetric = provider([{ kty: 'oct', k: 'c2VjcmV0', kid: 'first' }]);
    expect(await reasonOf(symmetric.verify(first))).toBe('unknown_key');
    const exposed = provider([{ ...first.jwk, ...(await exportJWK(first.privateKey)) }]);
    expect(await reasonOf(exposed.verify(first))).toBe('unknown_key');
    const ambiguous = provider([first.jwk, second.jwk]);
    const token = await new SignJWT({}).setProtectedHeader({ alg: 'ES256' }).sign(first.privateKey);
    expect(await reasonOf(jwtVerify(token, ambiguous.remoteKeys.at(uri)))).toBe('ambiguous_key');
  });

  it('shows what is in a set, for a connection test', async () => {
    const { remoteKeys } = provider([first.jwk]);
    expect((await remoteKeys.fetch(uri)).keys.map(({ kid }) => kid)).toEqual(['first']);
  });
});
