import { EncryptJWT, jwtDecrypt } from 'jose';
import { cookies } from 'next/headers';

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

const lifetimes = { pending: 10 * 60, session: 7 * 24 * 60 * 60 };
type Kept = { pending: Pending; session: Session };

/** Keeps a value in an encrypted cookie: the browser carries it and can neither read nor change it. */
export async function keep<Name extends keyof Kept>(name: Name, value: Kept[Name]): Promise<void> {
  const sealed = await new EncryptJWT({ value })
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .setSubject(name)
    .setExpirationTime(Math.floor(Date.now() / 1_000) + lifetimes[name])
    .encrypt(await key());
  (await cookies()).set(name, sealed, {
    httpOnly: true,
    sameSite: 'lax',
    secure: process.env.APP_URL?.startsWith('https:') ?? false,
    maxAge: lifetimes[name],
    path: '/',
  });
}

/** What was kept, or nothing if it is not there, has expired or was not made here. */
export async function read<Name extends keyof Kept>(name: Name): Promise<Kept[Name] | undefined> {
  const sealed = (await cookies()).get(name)?.value;
  if (!sealed) return undefined;
  try {
    const { payload } = await jwtDecrypt<{ value: Kept[Name] }>(sealed, await key(), { subject: name });
    return payload.value;
  } catch {
    return undefined;
  }
}

export async function forget(name: keyof Kept): Promise<void> {
  (await cookies()).delete(name);
}

async function key(): Promise<Uint8Array> {
  const secret = process.env.SESSION_SECRET ?? '';
  if (secret.length < 32) throw new Error('set SESSION_SECRET to at least 32 random characters');
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(secret)));
}
