import { publicError } from '#errors';
import { algorithmsFor, type KeyPurpose, type TeamPurpose } from '../key.ts';
import { lifeMilliseconds, publishMilliseconds } from '../key-policy.ts';
import type { TeamKeys } from '../key-set.ts';
import type { KeyState } from '../key-store.ts';
import type { Change, ChangeNeeds, KeyActor, Plan } from './change.ts';
import { accountOf, accountsOf, type KeyAccount } from './key-account.ts';
import { linesOf } from './line.ts';

export type TeamKeysNeeds = ChangeNeeds & {
  change: Change;
  hasRoom: (
    state: KeyState,
    lines: readonly { teamId: string; purpose: KeyPurpose }[],
    now: number,
  ) => boolean;
};

/** The keys that a team's key set has for a purpose, and whose they are. */
export type TeamKeySetting = {
  purpose: TeamPurpose;
  /** Undefined: the team shares keys with all others. */
  own: TeamKeys | undefined;
  keys: KeyAccount[];
};

/** Keys of a team's own: given and taken back in stages, so that no verification fails meanwhile. */
export function createTeamKeys(needs: TeamKeysNeeds) {
  const { store, policy, record, clock, change, hasRoom } = needs;

  const isOwn = (of: { teamId: string; purpose: KeyPurpose }, other: { teamId: string; purpose: string }) =>
    of.teamId === other.teamId && of.purpose === other.purpose;

  /** Shared ones go on signing until whoever has cached the team's key set has read it anew. */
  async function give(
    teamId: string,
    wish: { purpose: TeamPurpose; inGlobalKeySet: boolean },
    actor: KeyActor,
  ): Promise<TeamKeys> {
    return change(async ({ state, now, createKey }) => {
      const { purpose, inGlobalKeySet } = wish;
      const known = state.teams.find((own) => isOwn({ teamId, purpose }, own));
      if (known?.endsAt !== undefined) throw underWay(purpose, known.endsAt, policy.retireSeconds);
      const signsFrom = now + publishMilliseconds(policy);
      const own: TeamKeys = {
        ...(known ?? { teamId, purpose, signsFrom, endsAt: undefined }),
        ...globalStage(known, inGlobalKeySet, now),
      };
      if (known !== undefined && known.globalFrom === own.globalFrom)
        return { statements: [], result: known };
      const algorithms = known === undefined ? algorithmsFor(purpose) : [];
      const keys = await Promise.all(
        algorithms.map((algorithm) => createKey({ teamId, purpose, algorithm, activeFrom: signsFrom })),
      );
      const after = { ...state, rows: [...state.rows, ...keys], teams: [...without(state, own), own] };
      if (inGlobalKeySet && !hasRoom(after, [], now)) {
        throw publicError('key_set_full', {
          description: 'The key set for all teams has no room for more keys.',
        });
      }
      const entry = { actor: actor.id, object: teamId, teamId, reference: actor.reference };
      return {
        statements: [
          known === undefined ? store.insertTeam(own) : store.updateTeam(own),
          ...keys.map((key) => store.insert(key)),
          record({
            ...entry,
            action: 'team-keys.give',
            before: known === undefined ? null : settingOf(known),
            after: { ...settingOf(own), kids: keys.map(({ kid }) => kid) },
          }),
        ],
        result: own,
      };
    });
  }

  function globalStage(
    known: TeamKeys | undefined,
    inGlobalKeySet: boolean,
    now: number,
  ): Pick<TeamKeys, 'globalFrom' | 'globalUntil'> {
    if (inGlobalKeySet) {
      return { globalFrom: known?.globalFrom ?? now + publishMilliseconds(policy), globalUntil: undefined };
    }
    const wasGlobal = known?.globalFrom !== undefined;
    return {
      globalFrom: undefined,
      globalUntil: wasGlobal ? now + lifeMilliseconds(policy, known.purpose) : known?.globalUntil,
    };
  }

  /** The shared keys are published at once in the team's key set, and sign when every cache has them. */
  async function end(teamId: string, purpose: TeamPurpose, actor: KeyActor): Promise<void> {
    await change(async ({ state, now }) => {
      const known = state.teams.find((own) => isOwn({ teamId, purpose }, own));
      if (known === undefined) {
        throw publicError('not_found', { description: `The team has no keys of its own for ${purpose}.` });
      }
      if (known.endsAt !== undefined) return { statements: [], result: undefined };
      const own = { ...known, endsAt: now + publishMilliseconds(policy) };
      return {
        statements: [
          store.updateTeam(own),
          record({
            actor: actor.id,
            action: 'team-keys.end',
            object: teamId,
            teamId,
            before: settingOf(known),
            after: settingOf(own),
            reference: actor.reference,
          }),
        ],
        result: undefined,
      };
    });
  }

  /** What becomes of keys that their team has given up: they go when nothing that they signed is good any more. */
  function endOver(state: KeyState, now: number): Plan<KeyAccount[]>[] {
    return state.teams
      .filter(
        ({ endsAt, purpose }) => endsAt !== undefined && endsAt + lifeMilliseconds(policy, purpose) <= now,
      )
      .map((own) => {
        // Those of an earlier generation are removed by the schedule in this very round.
        const last = linesOf(state, now)
          .filter((line) => isOwn(line, own))
          .flatMap(({ next }) => (next === undefined ? [] : [next]));
        return {
          statements: [
            store.deleteTeam(own),
            ...last.map(({ kid }) => store.remove(kid, now)),
            record({
              actor: 'system',
              action: 'team-keys.remove',
              object: own.teamId,
              teamId: own.teamId,
              before: settingOf(own),
            }),
          ],
          result: last.map((key) => accountOf(key, 'removed')),
        };
      });
  }

  return {
    endOver,
    doors: {
      /**
       * Gives a team keys of its own for a purpose, or changes whether they are in the key set for all. Throws
       * `key_rotation_under_way`, `key_set_full`, `changed_meanwhile`.
       */
      giveTeamKeys: give,
      /** Lets a team share keys again. Throws `not_found`, `changed_meanwhile`. */
      endTeamKeys: end,
      /** The keys of a team's key sets, and whose they are. */
      async listOfTeam(teamId: string, purposes: readonly TeamPurpose[]): Promise<TeamKeySetting[]> {
        const state = await store.readState();
        const accounts = accountsOf(state, policy, clock.now());
        return purposes.map((purpose) => {
          const own = state.teams.find((one) => isOwn({ teamId, purpose }, one));
          const keys = accounts.filter(
            (key) => key.purpose === purpose && (key.teamId === undefined || key.teamId === teamId),
          );
          return { purpose, own, keys };
        });
      },
    },
  };
}

function without(state: KeyState, own: TeamKeys): TeamKeys[] {
  return state.teams.filter(({ teamId, purpose }) => teamId !== own.teamId || purpose !== own.purpose);
}

function settingOf({ purpose, signsFrom, endsAt, globalFrom, globalUntil }: TeamKeys) {
  return { purpose, signsFrom, endsAt, globalFrom, globalUntil };
}

function underWay(purpose: KeyPurpose, endsAt: number, retireSeconds: number) {
  return publicError('key_rotation_under_way', {
    description: `The team gives its own keys for ${purpose} up: shared ones sign from ${new Date(endsAt).toISOString()}, and the others go ${Math.round(retireSeconds / 3_600)} hours after their last token.`,
  });
}
