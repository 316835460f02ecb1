import type { Clock } from '#clock';
import type { Bound, Database } from '#database';
import { createChangeStore } from './change-store.ts';
import { createRecent } from './recent.ts';

/**
 * What is remembered is asked for again after so long, whatever the counters say: time ends things too (a secret
 * expires), and a unit that forgot to tell does no lasting harm.
 */
const rememberedMilliseconds = 1_000;
/** How old the counters may be that another process's changes are seen by. */
const heldMilliseconds = 1_000;
/** A unit of ours is committed by then, or has failed. */
const unitMilliseconds = 10_000;

export type Changes = {
  /** For the unit that changes or deletes a record of this kind. A new record needs none: its absence is not remembered. */
  note(kind: string): Bound<unknown>;
  /**
   * `load`, whose finds are remembered. A change that a process of ours has made and answered is seen by whoever asks
   * after it: at once in that process, within a second in the others. Nobody gets a copy, so nobody may change what they
   * get. Throws what `load` throws, and `DatabaseUnavailable` when the counters cannot be read: nothing is remembered
   * beyond the database. A record that rests on several kinds names them all.
   */
  remember<Value extends object>(
    kind: string | readonly string[],
    most: number,
    load: (key: string) => Promise<Value | undefined>,
    /** How long, while nobody changes it: a second, unless time ends nothing of it. */
    milliseconds?: number,
  ): (key: string) => Promise<Value | undefined>;
};

export function createChanges({ database, clock }: { database: Database; clock: Clock }): Changes {
  const store = createChangeStore(database);
  let counts: Promise<ReadonlyMap<string, number>> | undefined;
  /** The same once they are there: what is remembered is then found without a turn of the microtask queue. */
  let known: ReadonlyMap<string, number> | undefined;
  let ownUnitUntil = 0;

  /**
   * The counters, held for a second; while a unit of this process may be about to change them, for one turn of the
   * event loop.
   */
  function readCounts(): Promise<ReadonlyMap<string, number>> {
    if (counts !== undefined) return counts;
    const reading = store.list();
    const forget = (): void => {
      if (counts === reading) counts = known = undefined;
    };
    counts = reading;
    reading.then((read) => {
      if (counts === reading) known = read;
    }, forget);
    if (performance.now() > ownUnitUntil) setTimeout(forget, heldMilliseconds).unref();
    else setImmediate(forget);
    return reading;
  }

  return {
    note(kind) {
      ownUnitUntil = performance.now() + unitMilliseconds;
      counts = known = undefined;
      return store.count(kind);
    },

    remember<Value extends object>(
      kind: string | readonly string[],
      most: number,
      load: (key: string) => Promise<Value | undefined>,
      milliseconds = rememberedMilliseconds,
    ) {
      const kinds = typeof kind === 'string' ? [kind] : kind;
      type Remembered = { value: Promise<Value>; count: number; at: number };
      const remembered = createRecent<Remembered>(most);

      // They only grow, so their sum stands still as long as each of them does.
      const sumOf = (current: ReadonlyMap<string, number>): number => {
        let sum = 0;
        for (const one of kinds) sum += current.get(one) ?? 0;
        return sum;
      };
      const recall = (key: string, count: number): Promise<Value> | undefined => {
        const kept = remembered.get(key);
        if (kept?.count !== count) return undefined;
        const age = clock.now() - kept.at;
        return age >= 0 && age < milliseconds ? kept.value : undefined;
      };
      const ask = async (key: string): Promise<Value | undefined> => {
        // Asked for before the record is: what is loaded then is as new as the count, or newer.
        const count = sumOf(await readCounts());
        const kept = recall(key, count);
        if (kept !== undefined) return kept;
        const at = clock.now();
        const value = await load(key);
        if (value === undefined) remembered.delete(key);
        else remembered.set(key, { value: Promise.resolve(value), count, at });
        return value;
      };
      return (key) => (known === undefined ? undefined : recall(key, sumOf(known))) ?? ask(key);
    },
  };
}
