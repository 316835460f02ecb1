import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeProtectedHeader,
  importJWK,
  jwtVerify,
  type CryptoKey,
  type JSONWebKeySet,
  type JWK,
  type JWTVerifyGetKey,
} from 'jose';
import { send } from '../harness/send.ts';

/** Somebody elsewhere who verifies our tokens, in one of the ways that are in use. */
export type Verifier = {
  name: string;
  /** Rejects when the token is refused. */
  verify(token: string, at: Date): Promise<void>;
  /** How often it read the key set. */
  reads(): number;
};

type Expectation = { issuer: string | string[]; keySet: string };

/** `jose` as our guides show it: the key set is kept ten minutes, and read again for an unknown key every 30 s at most. */
export function createJoseVerifier({ issuer, keySet }: Expectation): Verifier {
  let reads = 0;
  const keys = createRemoteJWKSet(new URL(keySet), {
    [customFetch]: async (url, options) => {
      reads++;
      return fetch(url, options);
    },
  });
  return verifierOf(
    'jose with a cached key set',
    issuer,
    async () => keys,
    () => reads,
  );
}

/** As `go-oidc`: keys are kept for ever, and the set is read again only when a token names one that is not known. */
export function createHoardingVerifier({ issuer, keySet }: Expectation): Verifier {
  const known = new Map<string, CryptoKey>();
  let reads = 0;
  let reading: Promise<void> | undefined;
  async function read(): Promise<void> {
    reads++;
    const { keys } = (await send(keySet)).json() as { keys: (JWK & { kid: string; alg: string })[] };
    for (const key of keys) known.set(key.kid, (await importJWK(key, key.alg)) as CryptoKey);
  }
  const find: JWTVerifyGetKey = async ({ kid = '' }) => {
    if (!known.has(kid)) {
      reading ??= read().finally(() => {
        reading = undefined;
      });
      await reading;
    }
    const key = known.get(kid);
    if (key === undefined) throw new Error(`no key ${kid} in the key set`);
    return key;
  };
  return verifierOf(
    'one that reads the key set for unknown keys alone',
    issuer,
    async () => find,
    () => reads,
  );
}

/** Reads the key set for every token. */
export function createAnxiousVerifier({ issuer, keySet }: Expectation): Verifier {
  let reads = 0;
  return verifierOf(
    'one that reads the key set every time',
    issuer,
    async () => {
      reads++;
      return createLocalJWKSet((await send(keySet)).json() as JSONWebKeySet);
    },
    () => reads,
  );
}

/**
 * Behind a cache that keeps the key set for exactly as long as `Cache-Control` allows and reads it no sooner, whatever
 * a token names: what a CDN or a cloud's own cache does. `now` in milliseconds.
 */
export function createCachedVerifier({ issuer, keySet }: Expectation, now: () => number): Verifier {
  let reads = 0;
  let cached: { keys: JSONWebKeySet; until: number } | undefined;
  return verifierOf(
    'one behind a cache that keeps to Cache-Control',
    issuer,
    async () => {
      if (cached === undefined || cached.until <= now()) {
        reads++;
        const answer = await send(keySet);
        const seconds = Number(/max-age=(\d+)/.exec(answer.headers['cache-control'] ?? '')?.[1]);
        cached = { keys: answer.json() as JSONWebKeySet, until: now() + seconds * 1000 };
      }
      return createLocalJWKSet(cached.keys);
    },
    () => reads,
  );
}

function verifierOf(
  name: string,
  issuer: string | string[],
  keys: () => Promise<JWTVerifyGetKey>,
  reads: () => number,
): Verifier {
  return {
    name,
    reads,
    async verify(token, at) {
      await jwtVerify(token, await keys(), {
        issuer,
        algorithms: ['RS256', 'ES256'],
        currentDate: at,
        requiredClaims: ['exp', 'sub'],
      });
    },
  };
}

export function kidOf(token: string): string {
  return decodeProtectedHeader(token).kid ?? '';
}
