import type { CryptoKey, JWK } from 'jose';

/** What a key signs. A key never serves two purposes, so a token of one kind can never pass for another. */
export const keyPurposes = ['id-token', 'access-token', 'workload', 'passport'] as const;
export type KeyPurpose = (typeof keyPurposes)[number];

/** JOSE algorithms that we sign with (RFC 7518 section 3.1, RFC 8037 section 3.1). */
export const keyAlgorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const;
export type KeyAlgorithm = (typeof keyAlgorithms)[number];

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

/**
 * What there is from the first start: nobody can have read a key set yet, so these sign at once. Workload tokens have
 * both of their algorithms, so that a team can change its own without waiting. Others are made when first asked for.
 */
export const firstKeys: readonly { readonly purpose: KeyPurpose; readonly algorithm: KeyAlgorithm }[] = [
  { purpose: 'id-token', algorithm: 'RS256' },
  { purpose: 'access-token', algorithm: 'RS256' },
  { purpose: 'workload', algorithm: 'RS256' },
  { purpose: 'passport', algorithm: 'RS256' },
  { purpose: 'workload', algorithm: 'ES256' },
];

/** Purposes whose tokens say in `owner_id` which team they are of: that team can have keys of its own for them. */
export const teamPurposes = ['workload', 'passport'] as const satisfies readonly KeyPurpose[];
export type TeamPurpose = (typeof teamPurposes)[number];

export function allowsAlgorithm(purpose: KeyPurpose, algorithm: KeyAlgorithm): boolean {
  return algorithmsOf[purpose].includes(algorithm);
}

/** Every algorithm that a purpose may have, RS256 first. */
export function algorithmsFor(purpose: KeyPurpose): readonly KeyAlgorithm[] {
  return algorithmsOf[purpose];
}

/** A key as it is published: public members, `kid`, `use` and `alg`. */
export type PublicKey = JWK & { kid: string; use: 'sig'; alg: KeyAlgorithm };

/** A key in memory, ready to use. Times in milliseconds since the epoch. */
export type HeldKey = {
  readonly kid: string;
  /** The team whose own it is; undefined: all teams share it. */
  readonly teamId: string | undefined;
  readonly purpose: KeyPurpose;
  readonly algorithm: KeyAlgorithm;
  readonly generation: number;
  /** From when on it signs; it is published before. */
  readonly activeFrom: number;
  readonly publicJwk: PublicKey;
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
};

/**
 * The order in which a purpose's keys are published: RS256 first, since a reader that stumbles over a key it does not
 * know keeps those before it; then shared keys before those of teams, and the oldest first. The same on every node.
 */
export function comparePublished(one: HeldKey, other: HeldKey): number {
  const order = algorithmsOf[one.purpose];
  const [owner, otherOwner] = [one.teamId ?? '', other.teamId ?? ''];
  return (
    order.indexOf(one.algorithm) - order.indexOf(other.algorithm) ||
    Number(owner > otherOwner) - Number(owner < otherOwner) ||
    one.generation - other.generation
  );
}
