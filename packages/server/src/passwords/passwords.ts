import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { createBoundedQueue } from './bounded-queue.ts';
import { type Argon2Parameters, formatPasswordHash, parsePasswordHash } from './phc.ts';

/**
 * OWASP ASVS 5.0, appendix C: 46 MiB and one pass is the least for argon2id. About 80 ms on a core of 2026.
 */
const currentParameters: Argon2Parameters = { memory: 47_104, passes: 1, parallelism: 1 };

/** Two at a time leave half of libuv's four threads to files, name resolution and the rest of the house. */
const placesAtOnce = 2;
/** With 80 ms each, the last one waits about 1.5 s: longer than that, a clear refusal serves better. */
const waitingAtMost = 36;

export type VerifiedPassword = {
  matches: boolean;
  /** The stored hash was made with weaker parameters than ours of today: hash the password again. */
  needsRehash: boolean;
};

export type Passwords = {
  /** A PHC string with a new random salt. Throws `QueueFull` when too many wait. */
  hash(password: string): Promise<string>;
  /**
   * Compares with a stored PHC string, exactly as received: nothing trimmed, cut or normalised.
   * Without a stored hash it takes the same time and never matches, so that an unknown account looks like
   * a wrong password. Throws `QueueFull` when too many wait.
   */
  verify(password: string, storedHash: string | undefined): Promise<VerifiedPassword>;
};

export function createPasswords(
  options: {
    parameters?: Argon2Parameters;
    /** How many are hashed at a time, and how many may wait. */
    places?: number;
    waiting?: number;
  } = {},
): Passwords {
  const parameters = options.parameters ?? currentParameters;
  const queue = createBoundedQueue(options.places ?? placesAtOnce, options.waiting ?? waitingAtMost);
  const standIn = { ...parameters, salt: randomBytes(16), tag: randomBytes(32) };

  return {
    async hash(password) {
      const salt = randomBytes(16);
      const tag = await queue.run(() => derive(password, { ...parameters, salt }, 32));
      return formatPasswordHash({ ...parameters, salt, tag });
    },

    async verify(password, storedHash) {
      const stored = storedHash === undefined ? undefined : parsePasswordHash(storedHash);
      const against = stored ?? standIn;
      const tag = await queue.run(() => derive(password, against, against.tag.length));
      const equal = timingSafeEqual(tag, against.tag);
      return {
        matches: stored !== undefined && equal,
        needsRehash: stored !== undefined && isWeaker(stored, parameters),
      };
    },
  };
}

function derive(
  password: string,
  hash: Argon2Parameters & { salt: Buffer },
  tagLength: number,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    argon2(
      'argon2id',
      {
        message: Buffer.from(password, 'utf8'),
        nonce: hash.salt,
        memory: hash.memory,
        passes: hash.passes,
        parallelism: hash.parallelism,
        tagLength,
      },
      (error, tag) => {
        if (error) reject(error);
        else resolve(tag);
      },
    );
  });
}

function isWeaker(stored: Argon2Parameters, wanted: Argon2Parameters): boolean {
  return stored.memory < wanted.memory || stored.passes < wanted.passes;
}
