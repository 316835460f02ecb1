import { randomBytes } from 'node:crypto';
import {
  cookieHeader,
  readCookie,
  readForm,
  requireSameOrigin,
  secureCookieName,
  type DoorContext,
} from '#http';
import type { Bound, Expected } from '#database';
import { publicError } from '#errors';
import { equalInConstantTime, hashSecret, type Sealing } from '#sealing';
import type { Session, Sessions } from '#sessions';
import type { User, Users } from '#users';

/** The browser behind a request and who is logged in there. */
export type Browser = {
  /** Names this browser without giving its cookie away: what a pending request is bound to. */
  id: string;
  /** Present together with `user`: a session of a disabled person counts for nothing. */
  session: Session | undefined;
  user: User | undefined;
  /** For the hidden field `csrf` of a form. Bound to the browser, the login and the form's purpose. */
  csrfToken(purpose?: string): string;
};

/** Ends a session with all that hangs on it: its tokens, and the sessions that apps made of it. */
export type EndSession = (session: { id: string; userId: string }) => readonly Bound<unknown>[];

export type LoggedIn = Browser & { session: Session; user: User };

export type Browsers = {
  /** Reads the cookies; a browser without ours gets one with the answer. */
  read(context: DoorContext): Promise<Browser>;
  /**
   * A form sent by our own page in this browser. Throws `cross_origin`, `form_expired`, and what `readForm` throws.
   */
  readForm(
    context: DoorContext,
    purpose?: string,
  ): Promise<{ browser: Browser; fields: ReadonlyMap<string, string> }>;
  /**
   * A login for this browser: renews the session of the same person (its `sid` stays), otherwise opens one and ends
   * the former. `statements` belong into the caller's unit; call `remember` when that is done.
   */
  logIn(
    context: DoorContext,
    login: { userId: string; amr: string[] },
  ): Promise<{ session: Session; statements: (Bound<unknown> | Expected)[]; remember(): void }>;
  /** Lets the browser forget its session. */
  forget(context: DoorContext): void;
};

const browserLifetimeSeconds = 400 * 24 * 60 * 60;
const sessionCookieLifetimeSeconds = 30 * 24 * 60 * 60;

/** Forms that are bound to the browser alone: a login in another tab must not spoil them. */
const beforeLogin: ReadonlySet<string> = new Set(['login', 'set-up']);

export function createBrowsers(needs: {
  origin: string;
  sealing: Sealing;
  sessions: Sessions;
  users: Pick<Users, 'find'>;
  endSession: EndSession;
}): Browsers {
  const { origin, sealing, sessions, users } = needs;
  const secure = origin.startsWith('https:');
  const webOrigin = new URL(origin).origin;
  const browserCookie = secureCookieName(origin, 'tessera_browser');
  const sessionCookie = secureCookieName(origin, 'tessera_session');

  const setCookie = (context: DoorContext, name: string, value: string, maxAge: number): void =>
    context.header('set-cookie', cookieHeader(name, value, { secure, maxAge }), { append: true });

  const cookieOf = (context: DoorContext, name: string): string | undefined =>
    readCookie(context.req.header('cookie'), name);

  async function read(context: DoorContext): Promise<Browser> {
    const known = cookieOf(context, browserCookie);
    const secret = known ?? randomBytes(32).toString('base64url');
    if (known === undefined) setCookie(context, browserCookie, secret, browserLifetimeSeconds);

    const sessionSecret = cookieOf(context, sessionCookie);
    const found = sessionSecret === undefined ? undefined : await sessions.find(sessionSecret);
    const person = found && (await users.find(found.userId));
    const isLive = found !== undefined && person !== undefined && person.disabledAt === undefined;
    const session = isLive ? found : undefined;
    return {
      id: hashSecret(secret),
      session,
      user: session && person,
      csrfToken: (purpose = '') => {
        const login = session && !beforeLogin.has(purpose) ? [session.id, session.authenticatedAt] : null;
        return sealing.mac('csrf', JSON.stringify([secret, login, purpose]));
      },
    };
  }

  return {
    read,

    async readForm(context, purpose) {
      requireSameOrigin(context, webOrigin);
      const fields = await readForm(context);
      const browser = await read(context);
      if (!equalInConstantTime(fields.get('csrf') ?? '', browser.csrfToken(purpose))) {
        throw publicError('form_expired', {
          description:
            'The form does not belong to this browser and login: it was open for too long, you have logged in or out since, or cookies are switched off.',
        });
      }
      return { browser, fields };
    },

    async logIn(context, { userId, amr }) {
      const formerSecret = cookieOf(context, sessionCookie);
      const former = formerSecret === undefined ? undefined : await sessions.find(formerSecret);
      const remember = (secret: string) => () =>
        setCookie(context, sessionCookie, secret, sessionCookieLifetimeSeconds);
      if (former && formerSecret !== undefined && former.userId === userId) {
        const { session, secret, statement } = sessions.renew(former, formerSecret, amr);
        return { session, statements: [statement], remember: remember(secret) };
      }
      const { session, secret, statement } = sessions.create({
        userId,
        amr,
        userAgent: context.req.header('user-agent'),
        address: context.get('clientAddress'),
      });
      const ending = former ? needs.endSession(former) : [];
      return { session, statements: [statement, ...ending], remember: remember(secret) };
    },

    forget: (context) => setCookie(context, sessionCookie, 'none', 0),
  };
}
