/** Thrown when the queue already holds as many as it may. Nothing was started. */
export class QueueFull extends Error {
  override name = 'QueueFull';
}

export type BoundedQueue = {
  /** Runs the work when one of the places is free. Throws `QueueFull` at once when too many wait. */
  run<Result>(work: () => Promise<Result>): Promise<Result>;
};

/** Runs at most `places` at a time, in the order of arrival, and lets at most `waitingLimit` wait. */
export function createBoundedQueue(places: number, waitingLimit: number): BoundedQueue {
  let running = 0;
  const waiting: (() => void)[] = [];

  return {
    async run(work) {
      if (running >= places) {
        if (waiting.length >= waitingLimit) throw new QueueFull(`${waitingLimit} are waiting already`);
        // The one that ends hands its place over, so `running` stays as it is and nobody overtakes.
        await new Promise<void>((resolve) => waiting.push(resolve));
      } else {
        running += 1;
      }
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else running -= 1;
      }
    },
  };
}
