import { randomBytes } from 'node:crypto';
import { createId } from '@tessera/protocol';
import type { Clock } from '#clock';
import type { Bound, Database, Expected } from '#database';
import { hashSecret } from '#sealing';
import { seenIntervalMilliseconds, sessionLifetimeMilliseconds, type Session } from './session.ts';
import { createSessionStore } from './session-store.ts';

export type NewSession = {
  userId: string;
  amr: string[];
  userAgent?: string | undefined;
  address?: string | undefined;
};

/** The secret is for the cookie and nowhere else; the statement is for the caller's unit. */
export type OpenedSession = { session: Session; secret: string; statement: Expected };

export type Sessions = {
  /** The live session of a cookie: not ended, not expired, not idle for too long. */
  find(secret: string): Promise<Session | undefined>;
  /** The live session of this `sid`. */
  findById(id: string): Promise<Session | undefined>;
  /** A person's live sessions, the most recently used first. */
  listForUser(userId: string): Promise<Session[]>;
  create(input: NewSession): OpenedSession;
  /**
   * The same person proves themselves again in the same browser: the `sid` stays, so apps keep theirs; the cookie's
   * secret is new. The unit is refused when the old secret is no longer live.
   */
  renew(session: Session, formerSecret: string, amr: string[]): OpenedSession;
  /** Refuses a unit that rests on a session which has ended, also one that ends in this moment. */
  requireLive(id: string): Expected;
  /** Ends a session, if it is still live. */
  end(id: string): Bound<unknown>;
  /** Ends all of a person's sessions but one. */
  endOthers(userId: string, keptId: string): Bound<unknown>;
};

export function createSessions({ database, clock }: { database: Database; clock: Clock }): Sessions {
  const store = createSessionStore(database);

  return {
    async find(secret) {
      const session = await store.findBySecretHash(hashSecret(secret));
      if (session && clock.now() - session.lastSeenAt > seenIntervalMilliseconds) {
        await database.write([store.seen(session.id, clock.now())]);
      }
      return session;
    },
    findById: store.find,
    listForUser: store.listOfUser,

    create({ userId, amr, userAgent, address }) {
      const now = clock.now();
      const secret = createSecret();
      const session: Session = {
        id: createId('sid'),
        userId,
        authenticatedAt: now,
        amr,
        createdAt: now,
        lastSeenAt: now,
        expiresAt: now + sessionLifetimeMilliseconds,
        userAgent: userAgent?.slice(0, 300),
        address,
      };
      return { session, secret, statement: store.insert(session, hashSecret(secret)) };
    },

    renew(former, formerSecret, amr) {
      const now = clock.now();
      const secret = createSecret();
      const session: Session = {
        ...former,
        authenticatedAt: now,
        amr,
        lastSeenAt: now,
        expiresAt: now + sessionLifetimeMilliseconds,
      };
      const statement = store.replaceSecret(session, hashSecret(formerSecret), hashSecret(secret));
      return { session, secret, statement };
    },

    requireLive: store.requireLive,
    end: (id) => store.end(id, clock.now()),
    endOthers: (userId, keptId) => store.endOthers({ id: keptId, userId, endedAt: clock.now() }),
  };
}

function createSecret(): string {
  return randomBytes(32).toString('base64url');
}
