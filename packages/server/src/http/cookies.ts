/** The value of a cookie, from the raw `Cookie` header. Two of one name give undefined: neither can be trusted. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined;
  let found: string | undefined;
  for (const part of header.split(';')) {
    const equals = part.indexOf('=');
    if (equals === -1) continue;
    // Only the spaces that RFC 6265 section 4.2.1 puts between pairs: a name led by other white space is another name.
    const from = part.startsWith(' ') ? 1 : 0;
    if (part.slice(from, equals) !== name) continue;
    if (found !== undefined) return undefined;
    found = part.slice(equals + 1);
  }
  return found === undefined || !/^[\w.~%+/=-]+$/.test(found) ? undefined : found;
}

export type CookieOptions = {
  /** Seconds; 0 deletes, absent lasts as long as the browser runs. */
  maxAge?: number;
  secure: boolean;
  sameSite?: 'Lax' | 'Strict' | 'None';
  path?: string;
};

/** A `Set-Cookie` value: always HttpOnly, never with a Domain. */
export function cookieHeader(name: string, value: string, options: CookieOptions): string {
  const parts = [
    `${name}=${value}`,
    `Path=${options.path ?? '/'}`,
    'HttpOnly',
    `SameSite=${options.sameSite ?? 'Lax'}`,
  ];
  if (options.secure) parts.push('Secure');
  if (options.maxAge !== undefined) parts.push(`Max-Age=${options.maxAge}`);
  return parts.join('; ');
}

/**
 * `__Host-` binds a cookie to one host over TLS, so that no sibling can set it (RFC 6265bis section 4.1.3.2). Plain
 * http on a developer's machine cannot have it.
 */
export function secureCookieName(baseUrl: string, name: string): string {
  return baseUrl.startsWith('https:') ? `__Host-${name}` : name;
}
