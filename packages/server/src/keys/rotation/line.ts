import type { KeyAlgorithm, KeyPurpose } from '../key.ts';
import { lifeMilliseconds, type KeyPolicy } from '../key-policy.ts';
import type { TeamKeys } from '../key-set.ts';
import type { KeyRow, KeyState } from '../key-store.ts';

/**
 * Where a key is on its way: published and not signing yet; signing; still published, because what it signed is still
 * good; in no key set any more; taken out at once, before its time.
 */
export type KeyStage = 'next' | 'active' | 'retired' | 'removed' | 'revoked';

/** The keys of one purpose and algorithm that follow one another: the shared ones, or one team's own. */
export type Line = {
  readonly teamId: string;
  readonly purpose: KeyPurpose;
  readonly algorithm: KeyAlgorithm;
  /** Oldest first; none of them removed. */
  readonly rows: readonly KeyRow[];
  readonly next: KeyRow | undefined;
  /** Undefined while the first one is not signing yet. */
  readonly active: KeyRow | undefined;
};

/** All lines that have a key. */
export function linesOf({ rows }: Pick<KeyState, 'rows'>, now: number): Line[] {
  const groups = Map.groupBy(rows, ({ teamId, purpose, algorithm }) => `${teamId} ${purpose} ${algorithm}`);
  return [...groups.values()].map((group) => {
    const ordered = group.toSorted((one, other) => one.generation - other.generation);
    const [first] = ordered as [KeyRow];
    return {
      teamId: first.teamId,
      purpose: first.purpose as KeyPurpose,
      algorithm: first.algorithm as KeyAlgorithm,
      rows: ordered,
      next: ordered.find(({ activeFrom }) => activeFrom > now),
      active: ordered.findLast(({ activeFrom }) => activeFrom <= now),
    };
  });
}

/** The team's own keys, if the line is of some. */
export function ownerOf({ teams }: Pick<KeyState, 'teams'>, line: Line): TeamKeys | undefined {
  return teams.find(({ teamId, purpose }) => teamId === line.teamId && purpose === line.purpose);
}

/** When a key signed for the last time, or will: when the next one begins, or its team shares keys again. */
function signsUntil(key: KeyRow, line: Line, own: TeamKeys | undefined): number | undefined {
  const successor = line.rows.find(({ generation }) => generation > key.generation);
  return successor?.activeFrom ?? own?.endsAt;
}

export function stageOf(key: KeyRow, line: Line, own: TeamKeys | undefined, now: number): KeyStage {
  if (key.revokedAt !== null) return 'revoked';
  if (key.removedAt !== null) return 'removed';
  if (key.activeFrom > now) return 'next';
  const until = signsUntil(key, line, own);
  return until !== undefined && until <= now ? 'retired' : 'active';
}

/** From when on a key can go without making a token bad that is still good; undefined while no end is known. */
export function removableFrom(
  key: KeyRow,
  line: Line,
  own: TeamKeys | undefined,
  policy: KeyPolicy,
): number | undefined {
  const until = signsUntil(key, line, own);
  return until === undefined ? undefined : until + lifeMilliseconds(policy, line.purpose);
}
