import type { Database } from '#database';
import { publicError } from '#errors';
import type { Limits } from '#limits';

const windowMilliseconds = 10 * 60_000;
/** Enough for whoever turns a setting and tries again; far from what a script would need to search by. */
const mostOfPerson = 60;
const mostOfTeam = 200;

export type TestLimits = ReturnType<typeof createTestLimits>;

/**
 * How often this server goes out to an address that somebody typed: each discovery, each test, each connector that is
 * saved and each key that is made for one does. Counted before it goes, over all nodes, by person and by team.
 */
export function createTestLimits({ database, limits }: { database: Database; limits: Limits }) {
  return {
    /** @throws {PublicError} `too_many_connector_tests` */
    async count({ userId, teamId }: { userId: string; teamId: string }): Promise<void> {
      const outcome = await database.tryWrite([
        limits.count('connector-test', userId, mostOfPerson, windowMilliseconds),
        limits.count('connector-test-team', teamId, mostOfTeam, windowMilliseconds),
      ]);
      if (outcome.committed) return;
      throw publicError('too_many_connector_tests', {
        description: `Received more than ${outcome.refusedAt === 0 ? `${mostOfPerson} from you` : `${mostOfTeam} from your team`} in ten minutes.`,
        headers: { 'retry-after': String(windowMilliseconds / 1_000) },
      });
    },
  };
}
