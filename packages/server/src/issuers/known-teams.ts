import { isValidName } from '@tessera/protocol';
import { LRUCache } from 'lru-cache';
import type { Clock } from '#clock';
import { DatabaseUnavailable } from '#errors';

const trustedMilliseconds = 60_000;
const remembered = 50_000;

export type KnownTeams = ReturnType<typeof createKnownTeams>;

/**
 * Which slugs are teams. A slug is never given to a second team, so one that was seen is believed at once and looked
 * at again behind the answer: a verifier does not wait for the database, nor notice that it is down.
 */
export function createKnownTeams(needs: { clock: Clock; findTeam(slug: string): Promise<unknown> }) {
  const { clock, findTeam } = needs;
  const seenAt = new LRUCache<string, number>({
    maxSize: remembered,
    // Counted, not reserved: `max` would set aside all places at start.
    sizeCalculation: () => 1,
  });

  async function look(slug: string): Promise<boolean> {
    const team = await findTeam(slug);
    if (team === undefined) seenAt.delete(slug);
    else seenAt.set(slug, clock.now());
    return team !== undefined;
  }

  return {
    async has(slug: string): Promise<boolean> {
      if (!isValidName(slug)) return false;
      const seen = seenAt.get(slug);
      if (seen === undefined) {
        try {
          return await look(slug);
        } catch (error) {
          // The documents hold nothing of the team but the name that was asked for. While nobody can tell whether
          // it exists, a verifier is better served than turned away: it would refuse good tokens for minutes.
          if (error instanceof DatabaseUnavailable) return true;
          throw error;
        }
      }
      if (clock.now() - seen > trustedMilliseconds) {
        seenAt.set(slug, clock.now());
        look(slug).catch(() => undefined);
      }
      return true;
    },
  };
}
