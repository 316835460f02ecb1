import { randomBytes } from 'node:crypto';
import { cookieHeader, readCookie, secureCookieName } from '#http';
import { equalInConstantTime, hashSecret } from '#sealing';

const lifetimeSeconds = 24 * 60 * 60;
const attemptLifetimeSeconds = 10 * 60;
const secretForm = /^[\w-]{43}$/;

/** The browser that begins an attempt: what the attempt stores, and the cookies by which it is known again. */
export type Binding = { browserHash: string; cookiesFor(state: string): readonly string[] };

/**
 * Ties attempts to a browser. One cookie a browser, however many attempts, so that cookies never pile up. A browser
 * that has none yet may begin several at once (restored tabs), and of the cookies that they set the last stays: so a
 * first attempt also gets one of its own, short-lived and deleted at the callback.
 */
export function createBrowserBinding(connectUrl: string) {
  const secure = connectUrl.startsWith('https:');
  const name = secureCookieName(connectUrl, 'tessera_connect');
  const attemptName = (state: string) => `${name}_${hashSecret(state).slice(0, 8)}`;

  return {
    bind(cookieHeaderValue: string | undefined): Binding {
      const known = readCookie(cookieHeaderValue, name);
      const secret = known !== undefined && secretForm.test(known) ? known : undefined;
      const value = secret ?? randomBytes(32).toString('base64url');
      const shared = cookieHeader(name, value, { secure, maxAge: lifetimeSeconds });
      return {
        browserHash: hashSecret(value),
        cookiesFor: (state) =>
          secret === undefined
            ? [shared, cookieHeader(attemptName(state), value, { secure, maxAge: attemptLifetimeSeconds })]
            : [shared],
      };
    },

    /** Whether this browser began the attempt. */
    isBound(cookieHeaderValue: string | undefined, state: string, browserHash: string): boolean {
      return [name, attemptName(state)].some((one) => {
        const value = readCookie(cookieHeaderValue, one);
        return value !== undefined && equalInConstantTime(hashSecret(value), browserHash);
      });
    },

    /** Deletes the attempt's own cookie where the browser has one. */
    release(cookieHeaderValue: string | undefined, state: string): readonly string[] {
      const own = attemptName(state);
      return cookieHeaderValue?.includes(`${own}=`) ? [cookieHeader(own, '', { secure, maxAge: 0 })] : [];
    },
  };
}
