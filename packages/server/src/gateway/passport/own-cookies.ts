import { randomBytes } from 'node:crypto';
import { cookieHeader } from '#http';
import { equalInConstantTime, hashSecret } from '#sealing';
import { attemptBindingCookie, splitSessionToken, type RequestCookies } from '../request/cookies.ts';
import type { OwnNames } from '../request/own-names.ts';

/** How long a person may take at the identity provider. */
const bindingSeconds = 900;

export type OwnCookies = ReturnType<typeof createOwnCookies>;

/** The `Set-Cookie` values of the deployment's host: always `HttpOnly`, `Path=/`, never a Domain. */
export function createOwnCookies(names: OwnNames, secure: boolean) {
  const set = (name: string, value: string, maxAge: number) =>
    cookieHeader(name, value, { secure, sameSite: 'Lax', path: '/', maxAge });

  return {
    /**
     * The cookie that ties a sign-in to this browser: the one that it has, or a new one. One for all attempts at a
     * host, so that they neither pile up nor disturb each other. Tabs that open at once in a fresh browser each get a
     * new one, and the last wins: so a new one also comes under a name of its own, which its attempt finds again.
     */
    bindAttempt(cookies: RequestCookies): { hash: string; headers: string[] } {
      const { binding } = cookies;
      const kept = binding.is === 'one' && /^[\w-]{43}$/.test(binding.value) ? binding.value : undefined;
      const secret = kept ?? randomBytes(32).toString('base64url');
      const hash = hashSecret(secret);
      const headers = [set(names.bindingCookie, secret, bindingSeconds)];
      if (kept === undefined) headers.push(set(attemptBindingCookie(names, hash), secret, bindingSeconds));
      return { hash, headers };
    },

    /** Whether this browser has the cookie of the attempt with this hash. */
    isBound(cookies: RequestCookies, hash: string): boolean {
      return [cookies.binding, cookies.attemptBinding(hash)].some(
        (cookie) => cookie.is === 'one' && equalInConstantTime(hashSecret(cookie.value), hash),
      );
    },

    /** Deletes what only this attempt needed. */
    endAttempt(cookies: RequestCookies, hash: string): string[] {
      return cookies.attemptBinding(hash).is === 'absent'
        ? []
        : [set(attemptBindingCookie(names, hash), '', 0)];
    },

    /** The session's cookies, without what is left of another one's. Undefined when the token is too large. */
    setSession(
      token: string,
      companion: string,
      lifetimeSeconds: number,
      cookies: RequestCookies,
    ): string[] | undefined {
      const parts = splitSessionToken(token, names);
      if (parts === undefined) return undefined;
      const stale = cookies.sessionNames.filter((name) => parts.every((part) => part.name !== name));
      return [
        ...stale.map((name) => set(name, '', 0)),
        ...parts.map(({ name, value }) => set(name, value, lifetimeSeconds)),
        set(names.companionCookie, companion, lifetimeSeconds),
      ];
    },

    /**
     * The cookie of a bypass. Browsers take `SameSite=None` over https alone; on plain http it is `Lax`, which a
     * developer's machine can do with.
     */
    setBypass(
      kind: 'automation' | 'share',
      value: string,
      { maxAge, sameSite }: { maxAge: number; sameSite: 'Lax' | 'None' },
    ): string {
      const name = kind === 'automation' ? names.bypassCookie : names.shareCookie;
      return cookieHeader(name, value, { secure, sameSite: secure ? sameSite : 'Lax', path: '/', maxAge });
    },

    deleteSession(cookies: RequestCookies): string[] {
      return [...new Set([names.sessionCookie, ...cookies.sessionNames, names.companionCookie])].map((name) =>
        set(name, '', 0),
      );
    },
  };
}
