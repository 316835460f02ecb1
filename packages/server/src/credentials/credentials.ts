import type { Clock } from '#clock';
import type { Bound, Database, Expected } from '#database';
import { publicError } from '#errors';
import type { Limits } from '#limits';
import { QueueFull, type Passwords } from '#passwords';
import { emailKey, type User, type Users } from '#users';
import { passwordProblem, type PasswordContext } from './password-policy.ts';
import { createPasswordStore } from './password-store.ts';
import { createPasswordTries } from './password-tries.ts';

export type PasswordLogin = { email: string; password: string; clientAddress: string };

export type Credentials = {
  /**
   * Whose password this is, with the statements that belong into the login's unit; undefined for an unknown address,
   * a wrong password and a disabled account alike, in the same time. Throws `too_many_tries` and
   * `password_queue_full`.
   */
  verifyPassword(
    login: PasswordLogin,
  ): Promise<{ user: User; amr: string[]; statements: Bound<unknown>[] } | undefined>;
  /** Why a new password is refused, in words; undefined when it is fine. */
  passwordProblem(password: string, context: PasswordContext): string | undefined;
  /** Hashes a new password and returns the statement that stores it. Throws `password_queue_full`. */
  preparePassword(password: string): Promise<(userId: string) => Expected>;
};

export function createCredentials(needs: {
  database: Database;
  clock: Clock;
  limits: Limits;
  passwords: Passwords;
  users: Pick<Users, 'findByEmail'>;
}): Credentials {
  const { database, clock, limits, passwords, users } = needs;
  const store = createPasswordStore(database);
  const tries = createPasswordTries({ database, limits });

  return {
    async verifyPassword({ email, password, clientAddress }) {
      const afterwards = await tries.count(emailKey(email), clientAddress);
      const user = await users.findByEmail(email);
      // The same questions for nobody as for somebody, or the time would tell.
      const stored = await store.findHash(user?.id ?? '');
      const { matches, needsRehash } = await waitingInQueue(() => passwords.verify(password, stored));
      if (!matches || !user || stored === undefined || user.disabledAt !== undefined) return undefined;
      const statements = [...afterwards];
      if (needsRehash) {
        const hash = await waitingInQueue(() => passwords.hash(password));
        statements.push(store.replace({ userId: user.id, hash, former: stored, now: clock.now() }));
      }
      return { user, amr: ['pwd'], statements };
    },

    passwordProblem,

    async preparePassword(password) {
      const hash = await waitingInQueue(() => passwords.hash(password));
      return (userId) => store.save(userId, hash, clock.now());
    },
  };
}

async function waitingInQueue<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof QueueFull)) throw error;
    throw publicError('password_queue_full', { headers: { 'retry-after': '2' }, cause: error });
  }
}
