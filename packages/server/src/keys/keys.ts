import { SignJWT, type JWTPayload } from 'jose';
import type { Clock } from '#clock';
import type { Database } from '#database';
import type { Logger } from '#logger';
import type { Sealing } from '#sealing';
import {
  allowsAlgorithm,
  comparePublished,
  keyPurposes,
  type HeldKey,
  type KeyAlgorithm,
  type KeyPurpose,
  type PublicKey,
} from './key.ts';
import { generateKeyRow } from './key-material.ts';
import { createKeyRing } from './key-ring.ts';
import { createKeyStore } from './key-store.ts';
import {
  parseTokenHeader,
  validateKey,
  verifySignatureAndClaims,
  type ExpectedToken,
} from './verification.ts';

export type KeysNeeds = { database: Database; sealing: Sealing; clock: Clock; logger: Logger };

export type Keys = ReturnType<typeof createKeys>;

export function createKeys(needs: KeysNeeds) {
  const { sealing, clock, logger } = needs;
  const store = createKeyStore(needs.database);
  const ring = createKeyRing({ store, sealing, clock, logger });
  const making = new Map<string, Promise<void>>();

  /** Makes the first key of a purpose and algorithm; processes that do so together end with the same one. */
  async function make(wanted: readonly { purpose: KeyPurpose; algorithm: KeyAlgorithm }[]): Promise<void> {
    const rows = await Promise.all(
      wanted.map(({ purpose, algorithm }) => generateKeyRow(sealing, purpose, algorithm, 1, clock.now())),
    );
    await store.insertUnlessTaken(rows);
    await ring.refreshAfterWrite();
    for (const { purpose, algorithm } of wanted) {
      logger.info('keys.ready', { purpose, algorithm, kid: ring.findSigning(purpose, algorithm)?.kid });
    }
  }

  function makeOnce(wanted: readonly { purpose: KeyPurpose; algorithm: KeyAlgorithm }[]): Promise<void> {
    const work = make(wanted).finally(() => {
      for (const { purpose, algorithm } of wanted) making.delete(`${purpose} ${algorithm}`);
    });
    for (const { purpose, algorithm } of wanted) making.set(`${purpose} ${algorithm}`, work);
    return work;
  }

  async function getSigningKey(purpose: KeyPurpose, algorithm: KeyAlgorithm): Promise<HeldKey> {
    ring.refreshBehind();
    const held = ring.findSigning(purpose, algorithm);
    if (held !== undefined) return held;
    if (!allowsAlgorithm(purpose, algorithm)) {
      throw new Error(`Keys for ${purpose} are never made for ${algorithm}.`);
    }
    const underWay = making.get(`${purpose} ${algorithm}`);
    await (underWay ?? ring.refresh());
    if (ring.findSigning(purpose, algorithm) === undefined) {
      await (making.get(`${purpose} ${algorithm}`) ?? makeOnce([{ purpose, algorithm }]));
    }
    const made = ring.findSigning(purpose, algorithm);
    if (made === undefined) throw new Error(`No key for ${purpose} with ${algorithm} is in force yet.`);
    return made;
  }

  return {
    /**
     * Reads the keys and opens each: rejects with an `Error` that names the mend when the master key is another one
     * than the database was started with. Missing keys begin to be made and are waited for by their first use, so
     * that the process answers before three RSA keys are found.
     */
    async start(): Promise<void> {
      await ring.refresh();
      const missing = keyPurposes
        .filter((purpose) => ring.findSigning(purpose, 'RS256') === undefined)
        .map((purpose) => ({ purpose, algorithm: 'RS256' as const }));
      if (missing.length === 0) return;
      makeOnce(missing).catch((error: unknown) => {
        logger.error('keys.not_made', { error });
      });
    },

    /**
     * Signs a JWT with the purpose's key (RFC 7519; header `alg kid typ` and no more). Off the main thread. A key of
     * the algorithm is made when there is none yet. `claims` times are in seconds, as on the wire.
     */
    async sign(token: {
      purpose: KeyPurpose;
      algorithm: KeyAlgorithm;
      /** JOSE `typ`: each kind of token has its own. */
      type: string;
      claims: JWTPayload;
    }): Promise<string> {
      const key = await getSigningKey(token.purpose, token.algorithm);
      return new SignJWT(token.claims)
        .setProtectedHeader({ alg: key.algorithm, kid: key.kid, typ: token.type })
        .sign(key.privateKey);
    },

    /**
     * Verifies a JWT of our own: form, `typ`, a key in force for the purpose with its own algorithm, signature, `iss`,
     * `aud`, times (no leeway: our clock signed it). Returns the claims.
     *
     * @throws {TokenRefused} with the reason
     */
    async verify(token: string, expected: ExpectedToken): Promise<JWTPayload> {
      ring.refreshBehind();
      const { kid, algorithm } = parseTokenHeader(token, expected.type);
      const key = await ring.findOrRefresh(kid);
      validateKey(key, expected.purpose, algorithm);
      return verifySignatureAndClaims(token, key, expected, clock.now());
    },

    /**
     * The public keys of these purposes, to be published, in an order that is the same on every node. From the last good copy while the
     * database is down. Every purpose has its RS256 key in it.
     */
    async published(purposes: readonly KeyPurpose[]): Promise<readonly PublicKey[]> {
      await ring.refreshOrKeep();
      for (const purpose of purposes) await getSigningKey(purpose, 'RS256');
      return purposes.flatMap((purpose) =>
        ring
          .list()
          .filter((key) => key.purpose === purpose)
          .toSorted(comparePublished)
          .map((key) => key.publicJwk),
      );
    },

    /** Reads the table now, for a caller that has just been told of a change. */
    refresh: (): Promise<void> => ring.refreshAfterWrite(),
  };
}
