import { LRUCache } from 'lru-cache';
import type { Clock } from '#clock';
import type { Database } from '#database';
import { networkOf, type Limits } from '#limits';

const mostWrong = 50;
const windowMilliseconds = 10 * 60_000;

/**
 * Wrong bypass secrets of one network at one project. The count is the database's. A network that is over it is also
 * remembered here, so that its further tries cost neither a look nor a write; other nodes find out at its next wrong one.
 */
export function createGuesses(needs: { database: Database; limits: Limits; clock: Clock }) {
  const { database, limits, clock } = needs;
  const blocked = new LRUCache<string, number>({ max: 10_000 });
  const keyOf = (projectId: string, address: string) => `${projectId} ${networkOf(address)}`;

  return {
    isBlocked: (projectId: string, address: string): boolean =>
      (blocked.get(keyOf(projectId, address)) ?? 0) > clock.now(),

    async count(projectId: string, address: string): Promise<void> {
      const key = keyOf(projectId, address);
      const counted = await database.tryWrite([
        limits.count('protection-bypass', key, mostWrong, windowMilliseconds),
      ]);
      if (!counted.committed) blocked.set(key, clock.now() + windowMilliseconds);
    },
  };
}
