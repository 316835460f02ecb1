import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { EncryptJWT, jwtDecrypt } from 'jose';

/** Between the click on "Sign in" and the callback: what the answer must match. */
export type Pending = { state: string; nonce: string; codeVerifier: string };
export type Session = {
  sub: string;
  name: string;
  email: string;
  idToken: string;
  accessToken: string;
  refreshToken: string | undefined;
};
type Kept = { pending: Pending; session: Session };

export type Cookies = {
  keep<Name extends keyof Kept>(context: Context, name: Name, value: Kept[Name]): Promise<void>;
  /** What was kept, or nothing if it is not there, has expired or was not made here. */
  read<Name extends keyof Kept>(context: Context, name: Name): Promise<Kept[Name] | undefined>;
  forget(context: Context, name: keyof Kept): void;
};

const lifetimes = { pending: 10 * 60, session: 7 * 24 * 60 * 60 };

/** Encrypted cookies: the browser carries them and can neither read nor change them. */
export async function createCookies(settings: { secret: string; secure: boolean }): Promise<Cookies> {
  if (settings.secret.length < 32) throw new Error('the session secret needs at least 32 random characters');
  const key = new Uint8Array(
    await crypto.subtle.digest('SHA-256', new TextEncoder().encode(settings.secret)),
  );
  return {
    async keep(context, name, value) {
      const sealed = await new EncryptJWT({ value })
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .setSubject(name)
        .setExpirationTime(Math.floor(Date.now() / 1_000) + lifetimes[name])
        .encrypt(key);
      setCookie(context, name, sealed, {
        httpOnly: true,
        sameSite: 'Lax',
        secure: settings.secure,
        maxAge: lifetimes[name],
        path: '/',
      });
    },
    async read<Name extends keyof Kept>(context: Context, name: Name) {
      const sealed = getCookie(context, name);
      if (!sealed) return undefined;
      try {
        const { payload } = await jwtDecrypt<{ value: Kept[Name] }>(sealed, key, { subject: name });
        return payload.value;
      } catch {
        return undefined;
      }
    },
    forget(context, name) {
      deleteCookie(context, name, { path: '/' });
    },
  };
}
