import type { KeyPurpose } from './key.ts';

/** How long whoever reads a key set may keep it: the `max-age` of all of ours. */
export const keySetMaxAgeSeconds = 600;

/**
 * How far the clocks of two nodes may be apart, with the few seconds in which a node that was told of no change still
 * answers with the key set of before.
 */
const marginSeconds = 300;

/**
 * A key that has to sign at once says that it did already for this long, so that a node whose clock is behind does not
 * wait for it.
 */
export const clockMarginMilliseconds = marginSeconds * 1000;

/** The shortest time between a key's publication and its first signature: no cached key set is then without it. */
export const leastPublishSeconds = keySetMaxAgeSeconds + marginSeconds;
/** The shortest time that a key stays after the last token that it signed has ended. */
export const leastRetireSeconds = marginSeconds;

const hour = 3_600;
const day = 24 * hour;

/** How keys are rotated. */
export type KeyPolicy = {
  /** A key is published for so long before it signs. At least `leastPublishSeconds`. */
  readonly publishSeconds: number;
  /** A retired key stays for so long after the last token that it signed has ended. At least `leastRetireSeconds`. */
  readonly retireSeconds: number;
  /** A key signs for so long before the next one does; undefined: keys are rotated by hand alone. */
  readonly rotateSeconds: number | undefined;
};

/** A day is what verifiers that cache for longer than they are told are known to need. */
export const defaultKeyPolicy: KeyPolicy = {
  publishSeconds: day,
  retireSeconds: day,
  rotateSeconds: 90 * day,
};

/**
 * The longest that a token of a purpose is good for. `sign` refuses a longer one, so that a key can go when this time
 * has passed since its last signature.
 */
export const longestLifeSeconds: Readonly<Record<KeyPurpose, number>> = {
  // An hour; but as `id_token_hint` it is good for as long as the session that it is of.
  'id-token': 30 * day,
  'access-token': hour,
  workload: 12 * hour,
  // The cookie of a visitor's session.
  passport: 30 * day,
};

/** From its last signature on, a key is needed for so long. */
export function lifeMilliseconds(policy: KeyPolicy, purpose: KeyPurpose): number {
  return (longestLifeSeconds[purpose] + policy.retireSeconds) * 1000;
}

/** From its publication on, a key does not sign for so long. */
export function publishMilliseconds(policy: KeyPolicy): number {
  return policy.publishSeconds * 1000;
}

/** Throws when a key would sign before every cached key set has it, or go before its last token has ended. */
export function validatePolicy({ publishSeconds, retireSeconds }: KeyPolicy): void {
  if (publishSeconds < leastPublishSeconds) {
    throw new Error(
      `A key has to be published for ${leastPublishSeconds} seconds at least, received ${publishSeconds}.`,
    );
  }
  if (retireSeconds < leastRetireSeconds) {
    throw new Error(
      `A retired key has to stay for ${leastRetireSeconds} seconds at least, received ${retireSeconds}.`,
    );
  }
}
