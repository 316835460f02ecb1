import type { Bound, Database } from '#database';
import type { Logger } from '#logger';
import { backOffMilliseconds, mostFailures, type Job, type Verdict, type Work } from './job.ts';
import { createJobStore } from './job-store.ts';

/** How often a process looks what is due. A process that has put something there looks at once. */
const lookEveryMilliseconds = 1_000;
const mostAtOnce = 8;

export type Jobs = {
  /** Puts a job there, due in so many milliseconds: for the unit of whatever makes it necessary. */
  enqueue(kind: string, payload: unknown, delayMilliseconds?: number): Bound<unknown>;
  /** Puts the one job of this kind there, unless it is: for work that is done again and again. */
  enqueueOnce(kind: string): Bound<unknown>;
  /** Says how jobs of this kind are done; before `start`. */
  register(kind: string, work: Work): void;
  /** Begins to do what is due. */
  start(): void;
  /** Looks now: a unit that enqueued something has been committed. */
  look(): void;
  /** Takes nothing more, and waits for what is under way. */
  stop(): Promise<void>;
};

export function createJobs({ database, logger }: { database: Database; logger: Logger }): Jobs {
  const store = createJobStore(database);
  const works = new Map<string, Work>();
  const underWay = new Set<Promise<void>>();
  let state: 'new' | 'running' | 'stopped' = 'new';
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let lookAgain = false;

  async function take(): Promise<void> {
    const free = mostAtOnce - underWay.size;
    if (free <= 0) return;
    // A job of a kind that only a newer release knows is left to that release.
    const due = (await store.listDue(4 * mostAtOnce)).filter(({ kind }) => works.has(kind)).slice(0, free);
    for (const job of due) {
      const { leaseToken, statement } = store.lease(job);
      if (state !== 'running') return;
      const outcome = await database.tryWrite([statement]);
      if (!outcome.committed) continue;
      const running = perform(job, leaseToken).finally(() => {
        underWay.delete(running);
        look();
      });
      underWay.add(running);
    }
  }

  async function perform(job: Job, leaseToken: string): Promise<void> {
    const tryLater = () => store.postpone(job.id, leaseToken, job.attempt, backOffMilliseconds(job.attempt));
    try {
      const verdict = await attempt(job);
      if (verdict === undefined) {
        const isOver = job.attempt >= mostFailures && !store.isOnce(job);
        await database.tryWrite([isOver ? store.finish(job.id, leaseToken) : tryLater()]);
        return;
      }
      const end =
        verdict.againInMilliseconds === undefined
          ? store.finish(job.id, leaseToken)
          : store.postpone(job.id, leaseToken, 0, verdict.againInMilliseconds);
      const outcome = await database.tryWrite([end, ...verdict.statements]);
      if (outcome.committed) return;
      logger.warn('jobs.not_ended', { kind: job.kind, job: job.id, refusedAt: outcome.refusedAt });
      // What the verdict rested on has changed meanwhile: the work looks again.
      if (outcome.refusedAt > 0) await database.tryWrite([tryLater()]);
    } catch (error) {
      // The database is down. The lease runs out, and whoever is there then tries again.
      logger.warn('jobs.interrupted', { kind: job.kind, job: job.id, error });
    }
  }

  /** Undefined when it failed without saying why. */
  async function attempt(job: Job): Promise<Verdict | undefined> {
    const work = works.get(job.kind);
    if (work === undefined) throw new Error(`no work is registered for jobs of the kind ${job.kind}`);
    try {
      return await work(job);
    } catch (error) {
      logger.error('jobs.failed', { kind: job.kind, job: job.id, attempt: job.attempt, error });
      return undefined;
    }
  }

  function look(): void {
    if (state !== 'running') return;
    if (looking !== undefined) {
      lookAgain = true;
      return;
    }
    clearTimeout(timer);
    looking = take()
      .catch((error: unknown) => logger.warn('jobs.not_read', { error }))
      .finally(() => {
        looking = undefined;
        if (state !== 'running') return;
        if (lookAgain) {
          lookAgain = false;
          look();
          return;
        }
        timer = setTimeout(look, lookEveryMilliseconds);
        timer.unref();
      });
  }

  return {
    enqueue: (kind, payload, delayMilliseconds = 0) => store.insert(kind, payload, delayMilliseconds),
    enqueueOnce: store.insertOnce,
    register: (kind, work) => void works.set(kind, work),
    start() {
      state = 'running';
      look();
    },
    look,
    async stop() {
      state = 'stopped';
      clearTimeout(timer);
      await looking;
      await Promise.all(underWay);
    },
  };
}
