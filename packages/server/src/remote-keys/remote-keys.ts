import {
  createLocalJWKSet,
  errors,
  type CryptoKey,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from 'jose';
import { LRUCache } from 'lru-cache';
import type { Clock } from '#clock';

/** A set is fetched again once it is this old; until then only an unknown `kid` makes us look. */
const freshMilliseconds = 10 * 60_000;
/** While a provider's key set cannot be fetched, the last good one is used up to this age. */
const keptMilliseconds = 24 * 60 * 60_000;
/** Between two fetches of one set: a storm of tokens with made-up key ids reaches the provider once. */
const coolDownMilliseconds = 30_000;
const maximumKeys = 100;
const maximumSets = 1_000;

export type RemoteKeysFailureReason =
  | 'unreachable'
  | 'malformed'
  | 'too_many'
  | 'unknown_key'
  | 'ambiguous_key';

/** Why a key set gave no key. The message may be shown; `cause` is for the log. */
export class RemoteKeysFailure extends Error {
  override readonly name = 'RemoteKeysFailure';
  readonly reason: RemoteKeysFailureReason;

  constructor(reason: RemoteKeysFailureReason, message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

/** As jose's `jwtVerify` and `compactVerify` take it in the place of a key. */
export type FindKey = (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>;

export type RemoteKeys = {
  /** Finds keys in the set at this URL. @throws RemoteKeysFailure */
  at(jwksUri: string): FindKey;
  /** Fetches the set now and says what is in it, for a connection test. @throws RemoteKeysFailure */
  fetch(jwksUri: string): Promise<JSONWebKeySet>;
};

type KeptSet = {
  /** The last good set, or undefined while there never was one. */
  good: { keys: JSONWebKeySet; find: FindKey; fetchedAt: number } | undefined;
  triedAt: number;
  pending: Promise<void> | undefined;
};

/**
 * Key sets of external issuers (RFC 7517), each fetched by one request at a time however many ask.
 *
 * @param needs.fetch the guarded fetcher, which limits size, time and address
 */
export function createRemoteKeys(needs: {
  fetch: (url: string, options?: { headers?: Record<string, string> }) => Promise<Response>;
  clock: Clock;
}): RemoteKeys {
  const { fetch, clock } = needs;
  const sets = new LRUCache<string, KeptSet>({ max: maximumSets });

  function keptSet(jwksUri: string): KeptSet {
    let set = sets.get(jwksUri);
    if (!set) {
      set = { good: undefined, triedAt: 0, pending: undefined };
      sets.set(jwksUri, set);
    }
    return set;
  }

  /** Resolves when the set was fetched, by this call or by one under way. */
  function refresh(jwksUri: string, set: KeptSet): Promise<void> {
    set.pending ??= (async () => {
      set.triedAt = clock.now();
      try {
        const keys = await read(jwksUri);
        set.good = { keys, find: createLocalJWKSet(keys), fetchedAt: clock.now() };
      } finally {
        set.pending = undefined;
      }
    })();
    return set.pending;
  }

  async function read(jwksUri: string): Promise<JSONWebKeySet> {
    let response: Response;
    try {
      response = await fetch(jwksUri, { headers: { accept: 'application/jwk-set+json, application/json' } });
    } catch (error) {
      const why = error instanceof Error ? error.message : 'no answer';
      throw new RemoteKeysFailure('unreachable', `the key set cannot be fetched: ${why}`, error);
    }
    if (response.status !== 200) {
      throw new RemoteKeysFailure('unreachable', `the key set answers ${response.status}; expected 200`);
    }
    let body: unknown;
    try {
      body = await response.json();
      // Checks the form of the set; what single keys are worth shows when one is used.
      createLocalJWKSet(body as JSONWebKeySet);
    } catch (error) {
      throw new RemoteKeysFailure(
        'malformed',
        'the key set is not a JSON Web Key Set (RFC 7517 section 5)',
        error,
      );
    }
    const keys = body as JSONWebKeySet;
    if (keys.keys.length > maximumKeys) {
      throw new RemoteKeysFailure(
        'too_many',
        `the key set has ${keys.keys.length} keys; expected at most ${maximumKeys}`,
      );
    }
    return keys;
  }

  /** The set to look into: fetched when there is none or it grew old, the last good one while fetching fails. */
  async function currentSet(jwksUri: string): Promise<KeptSet> {
    const set = keptSet(jwksUri);
    const age = set.good ? clock.now() - set.good.fetchedAt : Infinity;
    if (age < freshMilliseconds) return set;
    if (set.good && age < keptMilliseconds) {
      if (clock.now() - set.triedAt >= coolDownMilliseconds)
        await refresh(jwksUri, set).catch(() => undefined);
      return set;
    }
    set.good = undefined;
    await refresh(jwksUri, set);
    return set;
  }

  return {
    at(jwksUri) {
      return async (header, token) => {
        const set = await currentSet(jwksUri);
        try {
          return await findIn(set, header, token);
        } catch (error) {
          const unknown = error instanceof RemoteKeysFailure && error.reason === 'unknown_key';
          const mayLook = set.pending !== undefined || clock.now() - set.triedAt >= coolDownMilliseconds;
          if (!unknown || !mayLook) throw error;
          await refresh(jwksUri, set).catch(() => undefined);
          return findIn(set, header, token);
        }
      };
    },

    async fetch(jwksUri) {
      const set = keptSet(jwksUri);
      await refresh(jwksUri, set);
      return set.good?.keys ?? { keys: [] };
    },
  };
}

async function findIn(
  set: KeptSet,
  header: JWSHeaderParameters,
  token: FlattenedJWSInput,
): Promise<CryptoKey> {
  try {
    if (set.good) return await set.good.find(header, token);
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) {
      throw new RemoteKeysFailure(
        'ambiguous_key',
        'several keys of the key set fit the token, which names none by "kid"',
        error,
      );
    }
    // Whatever else jose says (no match, a symmetric or private key, a kind it cannot read): there is no usable key.
  }
  const named = typeof header.kid === 'string' ? `key "${header.kid.slice(0, 100)}"` : 'a fitting key';
  throw new RemoteKeysFailure('unknown_key', `the key set has not ${named} for ${String(header.alg)}`);
}
