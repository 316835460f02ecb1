import type { Bound, Database } from '#database';
import { publicError } from '#errors';
import type { Sealing } from '#sealing';
import { networkOf } from '#limits';
import { createTryStore } from './password-try-store.ts';

const minute = 60_000;

/**
 * One account from one network: a person who has forgotten. One network: somebody who tries many accounts.
 * One account from everywhere: a botnet; NIST SP 800-63B-4 (3.2.2) allows a hundred tries in a row.
 */
const limits = {
  accountInNetwork: { limit: 10, window: 15 * minute },
  network: { limit: 60, window: 15 * minute },
  account: { limit: 100, window: 24 * 60 * minute },
};

export type PasswordTries = {
  /**
   * Counts a try before the password is looked at. Throws `too_many_tries` when there were too many; the same for
   * accounts that exist and accounts that do not. Returns what to write when the password was right.
   */
  count(emailKey: string, clientAddress: string): Promise<Bound<unknown>[]>;
};

export function createPasswordTries(needs: { database: Database; sealing: Sealing }): PasswordTries {
  const { database, sealing } = needs;
  const store = createTryStore(database);

  return {
    async count(emailKey, clientAddress) {
      const network = networkOf(clientAddress);
      // Keyed, not plainly hashed: the table must not tell who tried to log in.
      const bucket = (...parts: string[]): string => sealing.mac('password-tries', JSON.stringify(parts));
      const buckets = {
        accountInNetwork: bucket('account-in-network', emailKey, network),
        network: bucket('network', network),
        account: bucket('account', emailKey),
      };
      const order = ['accountInNetwork', 'network', 'account'] as const;
      const outcome = await database.tryWrite(
        order.map((kind) => store.count(buckets[kind], limits[kind].limit, limits[kind].window)),
      );
      if (!outcome.committed) {
        const full = limits[order[outcome.refusedAt] ?? 'account'];
        throw publicError('too_many_tries', {
          description: `There were more than ${full.limit} failed tries in ${minutesInWords(full.window)}.`,
          headers: { 'retry-after': String(full.window / 1000) },
        });
      }
      return [
        store.clear(buckets.accountInNetwork),
        store.clear(buckets.account),
        // A network keeps its count: its owner may know one password of the many they try.
        store.giveBack(buckets.network),
        store.deleteEnded(),
      ];
    },
  };
}

function minutesInWords(milliseconds: number): string {
  const minutes = milliseconds / minute;
  return minutes > 60 ? `${minutes / 60} hours` : `${minutes} minutes`;
}
