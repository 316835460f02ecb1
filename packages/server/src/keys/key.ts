import type { CryptoKey, JWK } from 'jose';

/** What a key signs. A key never serves two purposes, so a token of one kind can never pass for another. */
export type KeyPurpose = 'id-token' | 'access-token' | 'workload' | 'passport';

/** JOSE algorithms that we sign with (RFC 7518 section 3.1, RFC 8037 section 3.1). */
export type KeyAlgorithm = 'RS256' | 'PS256' | 'ES256' | 'EdDSA';

/**
 * Which algorithms a purpose may have. Clouds that verify workload tokens refuse a whole key set for one key they
 * cannot read (MinIO: any OKP key; AWS: EdDSA), so only tokens of apps, whose readers choose, have all four.
 */
const algorithmsOf: Readonly<Record<KeyPurpose, readonly KeyAlgorithm[]>> = {
  'id-token': ['RS256', 'PS256', 'ES256', 'EdDSA'],
  'access-token': ['RS256', 'PS256', 'ES256', 'EdDSA'],
  workload: ['RS256', 'ES256'],
  passport: ['RS256'],
};

/** Every purpose has its RS256 key from the first start; the others are made when first asked for. */
export const keyPurposes: readonly KeyPurpose[] = ['id-token', 'access-token', 'workload', 'passport'];

export function allowsAlgorithm(purpose: KeyPurpose, algorithm: KeyAlgorithm): boolean {
  return algorithmsOf[purpose].includes(algorithm);
}

/**
 * The order in which a purpose's keys are published: RS256 first, since a reader that stumbles over a key it does not
 * know keeps those before it; then the oldest first. It is the same on every node.
 */
export function comparePublished(one: HeldKey, other: HeldKey): number {
  const order = algorithmsOf[one.purpose];
  return order.indexOf(one.algorithm) - order.indexOf(other.algorithm) || one.generation - other.generation;
}

/** A key as it is published: public members, `kid`, `use` and `alg`. */
export type PublicKey = JWK & { kid: string; use: 'sig'; alg: KeyAlgorithm };

/** A key in memory, ready to use. */
export type HeldKey = {
  readonly kid: string;
  readonly purpose: KeyPurpose;
  readonly algorithm: KeyAlgorithm;
  readonly generation: number;
  /** From when on it signs; it is published before. Milliseconds since the epoch. */
  readonly activeFrom: number;
  readonly publicJwk: PublicKey;
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
};

/** The key that signs now: of those whose time has come, the newest. */
export function findSigningKey(
  keys: Iterable<HeldKey>,
  purpose: KeyPurpose,
  algorithm: KeyAlgorithm,
  now: number,
): HeldKey | undefined {
  let chosen: HeldKey | undefined;
  for (const key of keys) {
    if (key.purpose !== purpose || key.algorithm !== algorithm || key.activeFrom > now) continue;
    if (chosen === undefined || key.generation > chosen.generation) chosen = key;
  }
  return chosen;
}
