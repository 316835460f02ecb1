import { comparePublished, type HeldKey, type KeyAlgorithm, type KeyPurpose } from './key.ts';
import { lifeMilliseconds, type KeyPolicy } from './key-policy.ts';

/** That a team has keys of its own for a purpose, and since when. Times in milliseconds since the epoch. */
export type TeamKeys = {
  readonly teamId: string;
  readonly purpose: KeyPurpose;
  /** From when on they sign; before, they are published and the shared ones sign. */
  readonly signsFrom: number;
  /** From when on the shared ones sign again; undefined: not foreseen. */
  readonly endsAt: number | undefined;
  /** In the key set for all; `globalFrom`: they also sign what the issuer for all issues, from then on. */
  readonly globalFrom: number | undefined;
  /** Not in the key set for all any more after this: tokens that were signed for it have ended. */
  readonly globalUntil: number | undefined;
};

/** All keys that are published, as the table had them at one moment. */
export type KeySnapshot = {
  readonly keys: ReadonlyMap<string, HeldKey>;
  /** By `teamKeysId`. */
  readonly teams: ReadonlyMap<string, TeamKeys>;
};

/** Whose key set verifiers of a token read: one team's, or the one for all. */
export type KeySetName = { readonly teamId: string | undefined; readonly isForAll: boolean };

export function teamKeysId(teamId: string, purpose: KeyPurpose): string {
  return `${purpose} ${teamId}`;
}

/** The key that signs now: of the team's own or the shared ones, the newest whose time has come. */
export function findSigningKey(
  snapshot: KeySnapshot,
  wanted: { purpose: KeyPurpose; algorithm: KeyAlgorithm; keySet: KeySetName },
  now: number,
): HeldKey | undefined {
  const { purpose, algorithm, keySet } = wanted;
  const owner = signsItself(snapshot, purpose, keySet, now) ? keySet.teamId : undefined;
  let chosen: HeldKey | undefined;
  for (const key of snapshot.keys.values()) {
    if (key.purpose !== purpose || key.algorithm !== algorithm) continue;
    if (key.teamId !== owner || key.activeFrom > now) continue;
    if (chosen === undefined || key.generation > chosen.generation) chosen = key;
  }
  return chosen;
}

function signsItself(
  { teams }: KeySnapshot,
  purpose: KeyPurpose,
  { teamId, isForAll }: KeySetName,
  now: number,
): boolean {
  const own = teamId === undefined ? undefined : teams.get(teamKeysId(teamId, purpose));
  if (own === undefined || own.signsFrom > now) return false;
  if (own.endsAt !== undefined && own.endsAt <= now) return false;
  return !isForAll || (own.globalFrom !== undefined && own.globalFrom <= now);
}

/** What a key set has of a purpose, in the order of publication. */
export function listPublished(
  snapshot: KeySnapshot,
  purpose: KeyPurpose,
  keySet: KeySetName,
  policy: KeyPolicy,
  now: number,
): HeldKey[] {
  return [...snapshot.keys.values()]
    .filter((key) => key.purpose === purpose && isPublished(snapshot, key, keySet, policy, now))
    .toSorted(comparePublished);
}

/**
 * Whether a key belongs to a key set. The one for all has the shared keys, and those of teams that wished it. A team's
 * own has the team's keys; the shared ones only until the last token that they signed for this team has ended, and
 * again as soon as the team is to share them again: so a token of another team never verifies there.
 */
export function isPublished(
  { teams }: KeySnapshot,
  key: HeldKey,
  keySet: KeySetName,
  policy: KeyPolicy,
  now: number,
): boolean {
  if (keySet.isForAll) {
    if (key.teamId === undefined) return true;
    const own = teams.get(teamKeysId(key.teamId, key.purpose));
    return own?.globalFrom !== undefined || (own?.globalUntil ?? 0) > now;
  }
  if (key.teamId !== undefined) return key.teamId === keySet.teamId;
  const own = keySet.teamId === undefined ? undefined : teams.get(teamKeysId(keySet.teamId, key.purpose));
  if (own === undefined || own.endsAt !== undefined) return true;
  return now < own.signsFrom + lifeMilliseconds(policy, key.purpose);
}

/** Whether a token that is read by this key set may be signed with this key: published there, and nobody else's. */
export function countsFor(
  snapshot: KeySnapshot,
  key: HeldKey,
  keySet: KeySetName,
  policy: KeyPolicy,
  now: number,
): boolean {
  if (key.teamId !== undefined && key.teamId !== keySet.teamId) return false;
  return isPublished(snapshot, key, keySet, policy, now);
}
