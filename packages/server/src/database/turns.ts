import { DatabaseUnavailable } from '#errors';

/** Lets so many go at once; the others wait in the order in which they came. */
export type Turns = { run<Result>(work: () => Promise<Result>): Promise<Result> };

/** Who has not had a turn after `patienceMilliseconds` gets `DatabaseUnavailable`. */
export function createTurns(limit: number, patienceMilliseconds: number): Turns {
  const waiting = new Set<() => void>();
  let running = 0;

  const take = async (): Promise<void> => {
    if (running < limit) {
      running++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const go = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.delete(go);
        reject(new DatabaseUnavailable('the database has more to do than it gets done'));
      }, patienceMilliseconds);
      waiting.add(go);
    });
  };

  const pass = (): void => {
    const [next] = waiting;
    if (next === undefined) {
      running--;
      return;
    }
    waiting.delete(next);
    next();
  };

  return {
    async run(work) {
      await take();
      try {
        return await work();
      } finally {
        pass();
      }
    },
  };
}
