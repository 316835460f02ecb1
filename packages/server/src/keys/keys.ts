import { SignJWT, type JWTPayload } from 'jose';
import type { Clock } from '#clock';
import type { Database } from '#database';
import type { Logger } from '#logger';
import type { Sealing } from '#sealing';
import {
  allowsAlgorithm,
  firstKeys,
  type HeldKey,
  type KeyAlgorithm,
  type KeyPurpose,
  type PublicKey,
} from './key.ts';
import { generateKeyRow } from './key-material.ts';
import {
  clockMarginMilliseconds,
  defaultKeyPolicy,
  longestLifeSeconds,
  publishMilliseconds,
  validatePolicy,
  type KeyPolicy,
} from './key-policy.ts';
import { createKeyRing } from './key-ring.ts';
import { countsFor, findSigningKey, listPublished, type KeySetName } from './key-set.ts';
import { createKeyStore } from './key-store.ts';
import {
  parseTokenHeader,
  TokenRefused,
  validateKey,
  verifySignatureAndClaims,
  type ExpectedToken,
} from './verification.ts';

export type KeysNeeds = {
  database: Database;
  sealing: Sealing;
  clock: Clock;
  logger: Logger;
  policy?: KeyPolicy;
  /** The issuer of workload tokens whose key set is the one for all teams. */
  globalIssuer?: string;
};

export type Keys = ReturnType<typeof createKeys>;

type Line = { purpose: KeyPurpose; algorithm: KeyAlgorithm };

const forAll: KeySetName = { teamId: undefined, isForAll: true };
// A token of exactly the longest life was begun in one second and is signed in the next.
const roundingSeconds = 60;

export function createKeys(needs: KeysNeeds) {
  const { sealing, clock, logger, policy = defaultKeyPolicy } = needs;
  validatePolicy(policy);
  const store = createKeyStore(needs.database);
  const ring = createKeyRing({ store, sealing, clock, logger });
  const making = new Map<string, Promise<void>>();

  const find = ({ purpose, algorithm }: Line, keySet = forAll) =>
    findSigningKey(ring.snapshot(), { purpose, algorithm, keySet }, clock.now());

  /** Makes the first shared key of a purpose and algorithm; processes that do so together end with the same one. */
  async function make(wanted: readonly Line[], activeFrom: number): Promise<void> {
    const createdAt = clock.now();
    const line = { teamId: undefined, generation: 1, createdAt, activeFrom };
    await store.insertUnlessTaken(
      await Promise.all(wanted.map((one) => generateKeyRow(sealing, { ...line, ...one }))),
    );
    await ring.refreshAfterWrite();
    for (const one of wanted) logger.info('keys.ready', { ...one, kid: find(one)?.kid });
  }

  function makeOnce(
    wanted: readonly Line[],
    activeFrom = clock.now() - clockMarginMilliseconds,
  ): Promise<void> {
    const work = make(wanted, activeFrom).finally(() => {
      for (const { purpose, algorithm } of wanted) making.delete(`${purpose} ${algorithm}`);
    });
    for (const { purpose, algorithm } of wanted) making.set(`${purpose} ${algorithm}`, work);
    return work;
  }

  async function getSigningKey(line: Line, keySet: KeySetName): Promise<HeldKey> {
    const held = find(line, keySet);
    if (held !== undefined) return held;
    const { purpose, algorithm } = line;
    if (!allowsAlgorithm(purpose, algorithm)) {
      throw new Error(`Keys for ${purpose} are never made for ${algorithm}.`);
    }
    const name = `${purpose} ${algorithm}`;
    await (making.get(name) ?? ring.refresh());
    if (find(line, keySet) === undefined && !isPublishedAlready(line)) {
      await (making.get(name) ?? makeOnce([line]));
    }
    // A key that is published and must not sign yet: the purpose's first algorithm is understood by everybody.
    const made = find(line, keySet) ?? find({ purpose, algorithm: 'RS256' }, keySet);
    if (made === undefined) throw new Error(`No key for ${purpose} with ${algorithm} is in force yet.`);
    return made;
  }

  function isPublishedAlready({ purpose, algorithm }: Line): boolean {
    return listPublished(ring.snapshot(), purpose, forAll, policy, clock.now()).some(
      (key) => key.algorithm === algorithm && key.teamId === undefined,
    );
  }

  /** Which key set the verifiers of a token read: its own claims say so, to whoever signs it and whoever verifies it. */
  function keySetOf(claims: JWTPayload): KeySetName {
    const { iss, owner_id: owner } = claims;
    const teamId = typeof owner === 'string' ? owner : undefined;
    return { teamId, isForAll: teamId === undefined || iss === needs.globalIssuer };
  }

  return {
    /**
     * Reads the keys and opens each: rejects with an `Error` that names the mend when the master key is another one
     * than the database was started with. Missing keys begin to be made and are waited for by their first use, so
     * that the process answers before the RSA keys are found. From then on looks for changes by itself.
     */
    async start(): Promise<void> {
      await ring.refresh();
      ring.watch();
      const missing = firstKeys.filter((line) => !isPublishedAlready(line));
      if (missing.length === 0) return;
      // A purpose that has keys has verifiers, and they have its key set: one more is published before it signs.
      const isNew = ({ purpose }: Line) =>
        listPublished(ring.snapshot(), purpose, forAll, policy, clock.now()).length === 0;
      const [atOnce, later] = [missing.filter(isNew), missing.filter((line) => !isNew(line))];
      const makings = [
        ...(atOnce.length === 0 ? [] : [makeOnce(atOnce)]),
        ...(later.length === 0 ? [] : [makeOnce(later, clock.now() + publishMilliseconds(policy))]),
      ];
      for (const work of makings) {
        work.catch((error: unknown) => logger.error('keys.not_made', { error }));
      }
    },

    /** Looks for no change any more. */
    stop: () => ring.stop(),

    /**
     * Signs a JWT with the purpose's key (RFC 7519; header `alg kid typ` and no more): a team's own, when its
     * `owner_id` is a team that has some. Off the main thread. A shared key of the algorithm is made when there is
     * none; one that is published and may not sign yet leaves the signature to RS256. `claims` times are in seconds.
     */
    async sign(token: {
      purpose: KeyPurpose;
      algorithm: KeyAlgorithm;
      /** JOSE `typ`: each kind of token has its own. */
      type: string;
      claims: JWTPayload;
    }): Promise<string> {
      const { purpose, algorithm, type, claims } = token;
      const now = clock.now() / 1000;
      // A key is removed when the longest life of its tokens has passed: none may live longer.
      if ((claims.exp ?? 0) > now + longestLifeSeconds[purpose] + roundingSeconds) {
        throw new Error(`A token for ${purpose} lives ${longestLifeSeconds[purpose]} seconds at most.`);
      }
      await ring.requireTrusted();
      const key = await getSigningKey({ purpose, algorithm }, keySetOf(claims));
      return new SignJWT(claims)
        .setProtectedHeader({ alg: key.algorithm, kid: key.kid, typ: type })
        .sign(key.privateKey);
    },

    /**
     * Verifies a JWT of our own: form, `typ`, a key in force for the purpose with its own algorithm, signature, `iss`,
     * `aud`, times (no leeway: our clock signed it), and that the key is one for the token's team. Returns the claims.
     *
     * @throws {TokenRefused} with the reason
     */
    async verify(token: string, expected: ExpectedToken): Promise<JWTPayload> {
      const { kid, algorithm } = parseTokenHeader(token, expected.type);
      await ring.requireTrusted();
      const key = await ring.findOrRefresh(kid);
      validateKey(key, expected.purpose, algorithm);
      const claims = await verifySignatureAndClaims(token, key, expected, clock.now());
      if (!countsFor(ring.snapshot(), key, keySetOf(claims), policy, clock.now())) {
        throw new TokenRefused('key', 'The token is signed with a key that is not in force for its team.');
      }
      return claims;
    },

    /**
     * The public keys of these purposes, to be published, in an order that is the same on every node: those of one
     * team's key set, or of the one for all. From the last good copy while the database is down. Every purpose has
     * its RS256 key in it.
     */
    async published(purposes: readonly KeyPurpose[], teamId?: string): Promise<readonly PublicKey[]> {
      await ring.refreshOrKeep();
      for (const purpose of purposes) await getSigningKey({ purpose, algorithm: 'RS256' }, forAll);
      const keySet = { teamId, isForAll: teamId === undefined };
      return purposes.flatMap((purpose) =>
        listPublished(ring.snapshot(), purpose, keySet, policy, clock.now()).map((key) => key.publicJwk),
      );
    },

    /**
     * Whether a key is in force for a purpose, as far as this process knows: a revocation elsewhere shows within a
     * second or two. For tokens that count because they are stored.
     */
    isInForce: (kid: string, purpose: KeyPurpose): boolean =>
      ring.snapshot().keys.get(kid)?.purpose === purpose,

    /**
     * Grows whenever a key that was in force is not any more. What is remembered of a token, verified or made, counts
     * only as long as this stays what it was.
     */
    epoch: (): number => ring.epoch(),

    /** Reads the table now, for a caller that has just been told of a change. */
    refresh: (): Promise<void> => ring.refreshAfterWrite(),
  };
}
