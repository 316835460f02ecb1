import { createId, randomBase62 } from '@tessera/protocol';
import type { Changes } from '#changes';
import type { Clock } from '#clock';
import type { Bound, Database, Expected } from '#database';
import { usernameFromEmail, type User } from './user.ts';
import { createUserStore } from './user-store.ts';

export type NewUser = {
  email: string;
  name?: string | undefined;
  /** Default: from the address, with a few random characters when it is taken. */
  username?: string | undefined;
  emailVerified?: boolean;
  isInstanceAdmin?: boolean;
  /** The one who sets the instance up: the unit is refused when there has been one before. */
  isFirst?: boolean;
};

export type Users = {
  find(id: string): Promise<User | undefined>;
  /** A person as they are remembered, for those who only look. */
  findRemembered(id: string): Promise<User | undefined>;
  /** By address, whatever its case. */
  findByEmail(email: string): Promise<User | undefined>;
  /** Whether the instance has been set up. */
  hasAny(): Promise<boolean>;
  /** The oldest first, at most so many. */
  list(limit: number): Promise<User[]>;
  /**
   * A new person and the statement that stores them, for the caller's unit. The unit is refused when the address
   * or the username is taken.
   */
  create(user: NewUser): Promise<{ user: User; statement: Expected }>;
  updateName(id: string, name: string): readonly (Bound<unknown> | Expected)[];
  /** Refused when they are disabled already, or are the last administrator who is not. */
  disable(id: string): readonly (Bound<unknown> | Expected)[];
  /** Refused when they are not disabled. */
  enable(id: string): readonly (Bound<unknown> | Expected)[];
};

const mostRemembered = 10_000;

export function createUsers({
  database,
  clock,
  changes,
}: {
  database: Database;
  clock: Clock;
  changes: Changes;
}): Users {
  const store = createUserStore(database);

  return {
    find: store.find,
    // At userinfo, and at introspection of people's tokens.
    findRemembered: changes.remember('users', mostRemembered, store.find),
    findByEmail: store.findByEmail,
    hasAny: store.hasAny,
    list: store.list,

    async create(input) {
      const now = clock.now();
      const user: User = {
        id: createId('usr'),
        email: input.email.trim(),
        emailVerified: input.emailVerified ?? false,
        name: input.name?.trim(),
        username: input.username ?? (await freeUsername(usernameFromEmail(input.email))),
        picture: undefined,
        isInstanceAdmin: input.isInstanceAdmin ?? false,
        createdAt: now,
        updatedAt: now,
        disabledAt: undefined,
      };
      return { user, statement: store.insert(user, input.isFirst ?? false) };
    },

    disable: (id) => [...store.disable(id, clock.now()), changes.note('users')],
    enable: (id) => [store.enable(id, clock.now()), changes.note('users')],
    updateName: (id, name) => [store.updateName(id, name.trim(), clock.now()), changes.note('users')],
  };

  /** Somebody may take it in between: then the unit is refused and the caller tries again. */
  async function freeUsername(wanted: string): Promise<string> {
    const isTaken = await store.findByUsername(wanted);
    return isTaken ? `${wanted}-${randomBase62(5).toLowerCase()}` : wanted;
  }
}
