import type { Clock } from '#clock';
import type { Bound, Database, Expected } from '#database';
import { publicError } from '#errors';
import type { Sealing } from '#sealing';
import type { KeyAlgorithm, KeyPurpose } from '../key.ts';
import { generateKeyRow } from '../key-material.ts';
import type { KeyPolicy } from '../key-policy.ts';
import type { KeyRow, KeyState, KeyStore } from '../key-store.ts';

/** Who changes keys: the id of a person or API token, `operator` at the machine, or `system`. */
export type KeyActor = { id: string; reference?: string | undefined };

export type KeyRecord = {
  actor: string;
  action: string;
  object: string;
  teamId?: string | undefined;
  before?: unknown;
  after?: unknown;
  reference?: string | undefined;
};

export type ChangeNeeds = {
  database: Database;
  store: KeyStore;
  sealing: Sealing;
  clock: Clock;
  policy: KeyPolicy;
  /** The audit log's. */
  record: (entry: KeyRecord) => Bound<unknown>;
  /** Reads the keys of this process anew. */
  refresh: () => Promise<void>;
};

/** What is to be written, and what is then answered. No statement: there is nothing to change. */
export type Plan<Result> = { statements: readonly (Bound<unknown> | Expected)[]; result: Result };

/** What a plan rests on, and how it makes keys. */
export type Planning = {
  state: KeyState;
  now: number;
  createKey(line: {
    teamId: string;
    purpose: KeyPurpose;
    algorithm: KeyAlgorithm;
    activeFrom: number;
  }): Promise<KeyRow>;
};

export type Change = ReturnType<typeof createChange>;

const attempts = 5;

/**
 * Every change of keys: decided on the state of one moment, and written only if nobody has changed a key since then.
 * So there is never a second next key, nor one key too many, whatever runs in parallel.
 */
export function createChange(needs: ChangeNeeds) {
  const { database, store, sealing, clock, refresh } = needs;
  return async <Result>(plan: (planning: Planning) => Promise<Plan<Result>>): Promise<Result> => {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const state = await store.readState();
      const generations = await store.listGenerations();
      const now = clock.now();
      const { statements, result } = await plan({
        state,
        now,
        createKey(line) {
          const newest = generations.find(
            (one) =>
              one.teamId === line.teamId && one.purpose === line.purpose && one.algorithm === line.algorithm,
          );
          return generateKeyRow(sealing, {
            ...line,
            teamId: line.teamId === '' ? undefined : line.teamId,
            generation: Number(newest?.generation ?? 0) + 1,
            createdAt: now,
          });
        },
      });
      if (statements.length === 0) return result;
      const outcome = await database.tryWrite([store.countUpFrom(state.number), ...statements]);
      if (!outcome.committed) continue;
      await refresh();
      return result;
    }
    throw publicError('changed_meanwhile');
  };
}
