import { setTimeout as delay } from 'node:timers/promises';
import { exactly, type Bound, type Database } from '#database';
import type { Logger } from '#logger';
import type { Work } from './job.ts';

/**
 * What deletes the rows of a room whose time is over, at most `most` of them; the last statement is the one whose
 * rows are counted.
 */
export type Purge = (most: number) => readonly Bound<unknown>[];

/** Few enough that nobody waits for them: on SQLite a statement stops the whole process while it runs. */
const rowsAtOnce = 500;
/** What one run does at most of each kind; the rest waits for the next. Well within the lease. */
const roundsAtOnce = 60;
const pauseMilliseconds = 5;
const againInMilliseconds = 60_000;

/** The work of a job that never ends: a round of deleting what is over, once a minute, on one node at a time. */
export function createPurging(needs: {
  database: Pick<Database, 'write' | 'tryWrite'>;
  logger: Logger;
  /** By the name of what is deleted, for the log. */
  purges: Readonly<Record<string, Purge>>;
}): Work {
  const { database, logger, purges } = needs;

  async function run(purge: Purge): Promise<void> {
    for (let round = 0; round < roundsAtOnce; round++) {
      const statements = purge(rowsAtOnce);
      const counted = statements.at(-1);
      if (counted === undefined) return;
      // A full batch says that there may be more; a smaller one is taken back and deleted as the last.
      const outcome = await database.tryWrite([...statements.slice(0, -1), exactly(rowsAtOnce, counted)]);
      if (!outcome.committed) return database.write(statements);
      await delay(pauseMilliseconds);
    }
  }

  return async () => {
    for (const [name, purge] of Object.entries(purges)) {
      try {
        await run(purge);
      } catch (error) {
        // The others go on, and this one is tried again with the next round.
        logger.warn('purge.failed', { name, error });
      }
    }
    return { statements: [], againInMilliseconds };
  };
}
