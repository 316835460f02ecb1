import type { Bound, Expected } from '#database';
import { publicError } from '#errors';
import type { Logger } from '#logger';
import { teamPurposes, type KeyAlgorithm, type KeyPurpose } from '../key.ts';
import {
  clockMarginMilliseconds,
  keySetMaxAgeSeconds,
  longestLifeSeconds,
  publishMilliseconds,
} from '../key-policy.ts';
import { createKeyStore, type KeyRow, type KeyState } from '../key-store.ts';
import { createChange, type ChangeNeeds, type KeyActor, type Plan, type Planning } from './change.ts';
import { accountOf, accountsOf, type KeyAccount } from './key-account.ts';
import { linesOf, ownerOf, removableFrom, stageOf, type Line } from './line.ts';
import { createTeamKeys } from './team-keys.ts';

export type KeyRotationNeeds = Omit<ChangeNeeds, 'store'> & {
  logger: Logger;
  /**
   * What ends the visitors' sessions whose cookies a key signed: of one team, or of all that share keys, begun in this
   * time. Absent where nobody keeps such sessions.
   */
  endSessions?: (of: {
    teamId: string | undefined;
    from: number;
    until: number;
  }) => readonly Bound<unknown>[];
};

/** Which keys are meant. Without an algorithm: those of each. Without a team: the shared ones. */
export type KeyChoice = {
  purpose: KeyPurpose;
  algorithm?: KeyAlgorithm | undefined;
  teamId?: string | undefined;
};

/** What a revocation did, and what it cannot do. Times in milliseconds since the epoch. */
export type Revocation = {
  revoked: KeyAccount[];
  /** What signs in their place, from now on. */
  replacements: KeyAccount[];
  /** Until then a verifier that keeps to our `Cache-Control` may still take what a revoked key signed. */
  cachedUntil: number;
  /**
   * Until then so may one that reads a key set only when it meets an unknown key: unless it is restarted, or meets the
   * new key and drops the old ones.
   */
  tokensEndBy: number;
};

export type KeyRotation = ReturnType<typeof createKeyRotation>;

/** As many as every verifier takes: AWS reads 100 keys of a kind, and a rotation needs room. */
export const mostGlobalKeys = 90;
const removedShown = 100;
const roundMilliseconds = 60_000;

/** Rotation in stages, by schedule and by hand; revocation; keys of a team's own. */
export function createKeyRotation(needs: KeyRotationNeeds) {
  const { policy, record, logger, clock } = needs;
  const store = createKeyStore(needs.database);
  const change = createChange({ ...needs, store });
  const teamKeys = createTeamKeys({ ...needs, store, change, hasRoom });

  /** Publishes the next key of a line. It signs when no cached key set can be without it. */
  async function begin(line: Line, { now, createKey }: Planning, actor: KeyActor): Promise<KeyPlan> {
    const { teamId, purpose, algorithm } = line;
    const key = await createKey({
      teamId,
      purpose,
      algorithm,
      activeFrom: now + publishMilliseconds(policy),
    });
    const after = { purpose, algorithm, signsFrom: key.activeFrom, follows: line.active?.kid };
    return {
      statements: [store.insert(key), record(entryOf(key, 'signing-key.publish', actor, { after }))],
      result: [accountOf(key, 'next')],
    };
  }

  /** Takes a retired key out of the key sets. */
  function remove(key: KeyRow, now: number, actor: KeyActor): KeyPlan {
    const before = { purpose: key.purpose, algorithm: key.algorithm, stage: 'retired' };
    return {
      statements: [store.remove(key.kid, now), record(entryOf(key, 'signing-key.remove', actor, { before }))],
      result: [{ ...accountOf(key, 'removed'), removedAt: now }],
    };
  }

  /** What the schedule has to do now. */
  async function schedule(planning: Planning): Promise<KeyPlan> {
    const { state, now } = planning;
    const actor = { id: 'system' };
    const plans: KeyPlan[] = [];
    for (const line of linesOf(state, now)) {
      const own = ownerOf(state, line);
      for (const key of line.rows) {
        if (stageOf(key, line, own, now) !== 'retired') continue;
        const from = removableFrom(key, line, own, policy);
        if (from !== undefined && from <= now) plans.push(remove(key, now, actor));
      }
      if (own?.endsAt === undefined && isDue(line, now)) {
        if (hasRoom(state, [line], now)) plans.push(await begin(line, planning, actor));
        else logger.error('keys.no_room', { purpose: line.purpose, team: line.teamId });
      }
    }
    plans.push(...teamKeys.endOver(state, now));
    return joined(plans);
  }

  function isDue({ next, active }: Line, now: number): boolean {
    if (policy.rotateSeconds === undefined || next !== undefined || active === undefined) return false;
    return active.activeFrom + policy.rotateSeconds * 1000 - publishMilliseconds(policy) <= now;
  }

  /** Which lines are meant; throws `not_found` when there are none. */
  function choose(lines: readonly Line[], choice: KeyChoice): Line[] {
    const { purpose, algorithm, teamId = '' } = choice;
    const chosen = lines.filter(
      (line) =>
        line.purpose === purpose &&
        line.teamId === teamId &&
        (algorithm === undefined || line.algorithm === algorithm),
    );
    if (chosen.length > 0) return chosen;
    throw publicError('not_found', {
      description: `There are no keys for ${purpose}${algorithm === undefined ? '' : ` with ${algorithm}`}${teamId === '' ? ' that teams share' : ` of the team "${teamId}"`}.`,
    });
  }

  function hasRoom(
    state: KeyState,
    lines: readonly Pick<Line, 'teamId' | 'purpose'>[],
    now: number,
  ): boolean {
    const isGlobal = ({ teamId, purpose }: Pick<KeyRow, 'teamId' | 'purpose'>) => {
      if (!(teamPurposes as readonly string[]).includes(purpose)) return false;
      if (teamId === '') return true;
      const own = state.teams.find((each) => each.teamId === teamId && each.purpose === purpose);
      return own?.globalFrom !== undefined || (own?.globalUntil ?? 0) > now;
    };
    return state.rows.filter(isGlobal).length + lines.filter(isGlobal).length <= mostGlobalKeys;
  }

  return {
    ...teamKeys.doors,

    /** Every published key, and those that were removed last. */
    async list(): Promise<KeyAccount[]> {
      const now = clock.now();
      const [state, removed] = await Promise.all([store.readState(), store.listRemoved(removedShown)]);
      return [
        ...accountsOf(state, policy, now),
        ...removed.map((key) => accountOf(key, key.revokedAt === null ? 'removed' : 'revoked')),
      ];
    },

    /**
     * Publishes the next key of each chosen line. Throws `not_found`, `key_rotation_under_way`, `key_set_full`,
     * `changed_meanwhile`.
     */
    rotate(choice: KeyChoice, actor: KeyActor): Promise<KeyAccount[]> {
      return change(async (planning) => {
        const { state, now } = planning;
        const chosen = choose(linesOf(state, now), choice);
        for (const line of chosen) requireIdle(line, state);
        if (!hasRoom(state, chosen, now)) throw keySetFull();
        const plans: KeyPlan[] = [];
        for (const line of chosen) plans.push(await begin(line, planning, actor));
        return joined(plans);
      });
    },

    /**
     * Takes keys out of every key set at once: one by its `kid`, or all that are chosen. Nothing that they signed is
     * accepted here any more, and another signs from now on: the next one where it is published already.
     * Throws `not_found`, `changed_meanwhile`.
     */
    revoke(target: { kid: string } | KeyChoice, actor: KeyActor): Promise<Revocation> {
      return change(async (planning) => {
        const { state, now } = planning;
        const lines = linesOf(state, now);
        const isMeant = ({ kid }: KeyRow) => !('kid' in target) || kid === target.kid;
        const chosen = ('kid' in target ? lines : choose(lines, target)).filter(({ rows }) =>
          rows.some(isMeant),
        );
        const [first] = chosen;
        if (first === undefined) throw unknownKey('kid' in target ? target.kid : '');
        const plans: Plan<Pick<Revocation, 'revoked' | 'replacements'>>[] = [];
        for (const line of chosen) plans.push(await revokeOf(line, isMeant, planning, actor));
        return {
          statements: plans.flatMap(({ statements }) => statements),
          result: {
            revoked: plans.flatMap(({ result }) => result.revoked),
            replacements: plans.flatMap(({ result }) => result.replacements),
            cachedUntil: now + keySetMaxAgeSeconds * 1000,
            tokensEndBy: now + longestLifeSeconds[first.purpose] * 1000,
          },
        };
      });
    },

    /** Takes a retired key out. Throws `not_found`, `key_needed` while something that it signed may be good. */
    remove(kid: string, actor: KeyActor): Promise<KeyAccount> {
      return change(async ({ state, now }) => {
        const line = linesOf(state, now).find(({ rows }) => rows.some((row) => row.kid === kid));
        const key = line?.rows.find((row) => row.kid === kid);
        if (line === undefined || key === undefined) throw unknownKey(kid);
        const own = ownerOf(state, line);
        const from = removableFrom(key, line, own, policy);
        if (from === undefined || from > now) {
          const stage = stageOf(key, line, own, now);
          throw publicError('key_needed', {
            description: `The key "${kid}" is ${stage === 'next' || stage === 'active' ? 'needed to sign' : `retired, and needed until ${new Date(from ?? now).toISOString()}`}.`,
          });
        }
        const { statements, result } = remove(key, now, actor);
        return { statements, result: result[0] as KeyAccount };
      });
    },

    /** The work of a job that never ends: publishes next keys that are due, removes those whose time is over. */
    async work() {
      for (const { kid, stage, purpose } of await change(schedule)) {
        logger.info('keys.scheduled', { kid, stage, purpose });
      }
      return { statements: [], againInMilliseconds: roundMilliseconds };
    },
  };

  async function revokeOf(
    line: Line,
    isMeant: (row: KeyRow) => boolean,
    { state, now, createKey }: Planning,
    actor: KeyActor,
  ): Promise<Plan<Pick<Revocation, 'revoked' | 'replacements'>>> {
    const own = ownerOf(state, line);
    const isSigning = (row: KeyRow) => stageOf(row, line, own, now) === 'active';
    const meant = line.rows.filter(isMeant);
    const { teamId, purpose, algorithm } = line;
    const next = line.next !== undefined && !isMeant(line.next) ? line.next : undefined;
    // A line that was never to sign before its time does not begin earlier now; but it must not end up without a key.
    const hasBegun = line.active !== undefined;
    const needsAnother = hasBegun ? meant.some(isSigning) : meant.length > 0 && next === undefined;
    const activeFrom = hasBegun ? now - clockMarginMilliseconds : now + publishMilliseconds(policy);
    const replacement = !needsAnother
      ? undefined
      : next === undefined
        ? await createKey({ teamId, purpose, algorithm, activeFrom })
        : { ...next, activeFrom };
    const statements: (Bound<unknown> | Expected)[] = meant.flatMap((key) => {
      const stage = stageOf(key, line, own, now);
      const before = { purpose, algorithm, stage };
      return [
        store.remove(key.kid, now, now),
        record(
          entryOf(key, 'signing-key.revoke', actor, { before, after: { replacement: replacement?.kid } }),
        ),
        ...(purpose === 'passport' && stage !== 'next' ? endOfSessions(key, line, now) : []),
      ];
    });
    if (replacement !== undefined) {
      const action = hasBegun ? 'signing-key.activate' : 'signing-key.publish';
      const after = { purpose, algorithm, signsFrom: Math.max(now, activeFrom) };
      statements.push(
        next === undefined ? store.insert(replacement) : store.activate(replacement.kid, activeFrom),
        record(entryOf(replacement, action, actor, { after })),
        // The team's own begin to sign when the last of them may.
        ...(own === undefined || hasBegun ? [] : [store.updateTeam({ ...own, signsFrom: activeFrom })]),
      );
    }
    return {
      statements,
      result: {
        revoked: meant.map((key) => ({ ...accountOf(key, 'revoked'), removedAt: now })),
        replacements: replacement === undefined ? [] : [accountOf(replacement, hasBegun ? 'active' : 'next')],
      },
    };
  }

  /** Of the time in which the key signed, with the difference of clocks: rather one session more than one too few. */
  function endOfSessions(key: KeyRow, line: Line, now: number): readonly Bound<unknown>[] {
    const successor = line.rows.find(
      ({ generation, activeFrom }) => generation > key.generation && activeFrom <= now,
    );
    return (
      needs.endSessions?.({
        teamId: key.teamId === '' ? undefined : key.teamId,
        from: key.activeFrom - clockMarginMilliseconds,
        until: (successor?.activeFrom ?? now) + clockMarginMilliseconds,
      }) ?? []
    );
  }
}

type KeyPlan = Plan<KeyAccount[]>;

function joined(plans: readonly KeyPlan[]): KeyPlan {
  return {
    statements: plans.flatMap(({ statements }) => statements),
    result: plans.flatMap(({ result }) => result),
  };
}

function entryOf(
  key: KeyRow,
  action: string,
  actor: KeyActor,
  change: { before?: unknown; after?: unknown },
) {
  const teamId = key.teamId === '' ? undefined : key.teamId;
  return { actor: actor.id, action, object: key.kid, teamId, ...change, reference: actor.reference };
}

function requireIdle(line: Line, state: KeyState): void {
  const { next, purpose, algorithm } = line;
  const endsAt = ownerOf(state, line)?.endsAt;
  if (next === undefined && endsAt === undefined) return;
  throw publicError('key_rotation_under_way', {
    description:
      next === undefined
        ? `The team gives its own keys for ${purpose} up.`
        : `The next key for ${purpose} with ${algorithm}, "${next.kid}", is published and signs from ${new Date(next.activeFrom).toISOString()}.`,
  });
}

function keySetFull() {
  return publicError('key_set_full', {
    description: `The key set for all teams would have more than ${mostGlobalKeys} keys.`,
  });
}

function unknownKey(kid: string) {
  return publicError('not_found', { description: `There is no key "${kid}" in force.` });
}
