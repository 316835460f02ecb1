import type { Bound, Expected } from '#database';

/** A piece of work as the one who does it sees it. */
export type Job = {
  id: string;
  kind: string;
  payload: unknown;
  /** 1 at the first try since the work last came to an end of its own. */
  attempt: number;
};

/** How the work ended. `statements` are committed together with the end of the job, or with its next appointment. */
export type Verdict = {
  statements: readonly (Bound<unknown> | Expected)[];
  /** To be done again so many milliseconds from now; absent: done. */
  againInMilliseconds?: number;
};

/** Does one kind of job. It must end well within the lease, and may run a second time after a crash. */
export type Work = (job: Job) => Promise<Verdict>;

/** Longer than any work takes: what has not ended by then belongs to a process that is gone. */
export const leaseMilliseconds = 60_000;

/** After an error that nobody foresaw: 2 s, 4 s, 8 s … up to an hour. */
export function backOffMilliseconds(attempt: number): number {
  return Math.min(2 ** Math.min(attempt, 20) * 1_000, 60 * 60 * 1_000);
}

/**
 * Work that fails this often in a row without saying why is given up, with an error in the log. Work of `enqueueOnce`
 * never is: nobody would put it there again before the next start.
 */
export const mostFailures = 20;
