import { isValidName } from '@tessera/protocol';
import { LRUCache } from 'lru-cache';
import type { Clock } from '#clock';

const trustedMilliseconds = 60_000;
const remembered = 50_000;

export type KnownTeams = ReturnType<typeof createKnownTeams>;

/**
 * Which slugs are teams, and which. A slug is never given to a second team, so one that was seen is believed at once
 * and looked at again behind the answer: a verifier does not wait for the database, nor notice that it is down.
 */
export function createKnownTeams(needs: {
  clock: Clock;
  findTeam(slug: string): Promise<{ id: string } | undefined>;
}) {
  const { clock, findTeam } = needs;
  const seen = new LRUCache<string, { id: string; at: number }>({
    maxSize: remembered,
    // Counted, not reserved: `max` would set aside all places at start.
    sizeCalculation: () => 1,
  });

  async function look(slug: string): Promise<string | undefined> {
    const team = await findTeam(slug);
    if (team === undefined) seen.delete(slug);
    else seen.set(slug, { id: team.id, at: clock.now() });
    return team?.id;
  }

  return {
    /**
     * The id of the team; undefined when there is none. Throws `DatabaseUnavailable` for one that was not seen while
     * nobody can tell: a verifier then keeps the key set that it has, where a wrong one would make it refuse good
     * tokens, and Not Found might make it forget the issuer.
     */
    async find(slug: string): Promise<string | undefined> {
      if (!isValidName(slug)) return undefined;
      const known = seen.get(slug);
      if (known === undefined) return look(slug);
      if (clock.now() - known.at > trustedMilliseconds) {
        seen.set(slug, { ...known, at: clock.now() });
        look(slug).catch(() => undefined);
      }
      return known.id;
    },
  };
}
