import type { Bound, Database } from '#database';
import { publicError } from '#errors';
import { endSiteOf, type Limits } from '#limits';

const minute = 60_000;

/**
 * One account from one network: a person who has forgotten. One network: somebody who tries many accounts.
 * One account from everywhere: a botnet; NIST SP 800-63B-4 (3.2.2) allows a hundred tries in a row. A network is all
 * that one line has, so that none alone locks an account.
 */
const accountInNetwork = { name: 'password-of-account-in-network', limit: 10, window: 15 * minute };
const ofNetwork = { name: 'password-of-network', limit: 60, window: 15 * minute };
const ofAccount = { name: 'password-of-account', limit: 100, window: 24 * 60 * minute };

export type PasswordTries = {
  /**
   * Counts a try before the password is looked at. Throws `too_many_tries` when there were too many; the same for
   * accounts that exist and accounts that do not. Returns what to write when the password was right.
   */
  count(emailKey: string, clientAddress: string): Promise<Bound<unknown>[]>;
};

export function createPasswordTries(needs: {
  database: Database;
  limits: Pick<Limits, 'count' | 'clear' | 'giveBack'>;
}): PasswordTries {
  const { database, limits } = needs;

  return {
    async count(emailKey, clientAddress) {
      const network = endSiteOf(clientAddress);
      const both = JSON.stringify([emailKey, network]);
      const counted = [
        { ...accountInNetwork, key: both },
        { ...ofNetwork, key: network },
        { ...ofAccount, key: emailKey },
      ];
      const outcome = await database.tryWrite(
        counted.map(({ name, key, limit, window }) => limits.count(name, key, limit, window)),
      );
      if (!outcome.committed) {
        const full = counted[outcome.refusedAt] ?? ofAccount;
        throw publicError('too_many_tries', {
          description: `There were more than ${full.limit} failed tries in ${minutesInWords(full.window)}.`,
          headers: { 'retry-after': String(full.window / 1000) },
        });
      }
      return [
        limits.clear(accountInNetwork.name, both),
        limits.clear(ofAccount.name, emailKey),
        // A network keeps its count: its owner may know one password of the many they try.
        limits.giveBack(ofNetwork.name, network),
      ];
    },
  };
}

function minutesInWords(milliseconds: number): string {
  const minutes = milliseconds / minute;
  return minutes > 60 ? `${minutes / 60} hours` : `${minutes} minutes`;
}
