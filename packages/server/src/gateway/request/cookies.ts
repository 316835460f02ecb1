import { LRUCache } from 'lru-cache';
import { publicError } from '#errors';
import type { OwnNames } from './own-names.ts';

/** A cookie of ours as it was sent. Two of one name cannot be told apart: one of them may be a sibling host's. */
export type OwnCookie =
  | { readonly is: 'absent' }
  | { readonly is: 'one'; readonly value: string }
  | { readonly is: 'several' };

export type RequestCookies = {
  readonly session: OwnCookie;
  readonly companion: OwnCookie;
  readonly binding: OwnCookie;
  readonly bypass: OwnCookie;
  readonly share: OwnCookie;
  /** The binding cookie of one attempt: of tabs that began before the browser had the one for all. */
  attemptBinding(bindingHash: string): OwnCookie;
  /** Names of the session cookie and its parts that were sent: the ones to delete when a new one is set. */
  readonly sessionNames: readonly string[];
  /** The `Cookie` header for the upstream: all others, byte for byte; undefined when none is left. */
  readonly forwarded: string | undefined;
};

const mostBytes = 16 * 1024;
/** A browser keeps 4,096 bytes a cookie, name and attributes included (RFC 6265 section 6.1). */
const partBytes = 3_800;
const mostParts = 4;

const nothing: RequestCookies = {
  session: { is: 'absent' },
  companion: { is: 'absent' },
  binding: { is: 'absent' },
  bypass: { is: 'absent' },
  share: { is: 'absent' },
  attemptBinding: () => ({ is: 'absent' }),
  sessionNames: [],
  forwarded: undefined,
};

const mostRememberedCharacters = 4 * 1024 * 1024;
/** Beside: an object of its own weighs a thousand times what a header of three characters does. */
const mostRemembered = 4_000;

export type ReadCookies = (headers: readonly string[]) => RequestCookies;

/**
 * `parseCookies`, which gives the same object for the same header: a browser sends one many times, and what is known of
 * it (a verified session) can be kept by it. With that, 8 µs of a proxied request's 60. Only headers with a cookie of ours
 * are remembered.
 */
export function createCookieReader(names: OwnNames): ReadCookies {
  const known = new LRUCache<number, { header: string; cookies: RequestCookies }>({
    max: mostRemembered,
    maxSize: mostRememberedCharacters,
    sizeCalculation: ({ header }) => header.length,
  });
  return (headers) => {
    const [header] = headers;
    if (header === undefined || header === '' || headers.length > 1) return parseCookies(headers, names);
    const key = sampleOf(header);
    const last = known.get(key);
    if (last?.header === header) return last.cookies;
    const cookies = parseCookies(headers, names);
    if (holdsOwn(cookies)) known.set(key, { header, cookies });
    return cookies;
  };
}

/**
 * Tells one visitor's header from another's in most cases, by its length, its middle and its end: to compare two takes a
 * tenth of what to hash one does.
 */
function sampleOf(header: string): number {
  const { length } = header;
  const middle = length >> 1;
  let sample = length;
  for (let step = 1; step <= 24; step++) {
    sample = Math.imul(sample, 31) + header.charCodeAt(length - step);
    sample = Math.imul(sample, 31) + header.charCodeAt(middle - step);
  }
  return sample | 0;
}

function holdsOwn({ session, bypass, share }: RequestCookies): boolean {
  return [session, bypass, share].some((cookie) => cookie.is !== 'absent');
}

/**
 * Reads the raw `Cookie` headers. Names are compared byte by byte: no quotes, no case, no `$Version`, no white space
 * beyond the one that stands between two cookies.
 *
 * @throws {PublicError} `cookies_too_large`, with the header that makes the browser forget them
 */
export function parseCookies(headers: readonly string[], names: OwnNames): RequestCookies {
  if (headers.length === 0) return nothing;
  const header = headers.length === 1 ? (headers[0] ?? '') : headers.join('; ');
  if (header.length > mostBytes) {
    throw publicError('cookies_too_large', {
      description: `Cookies of ${header.length} bytes were received. Expected at most ${mostBytes}.`,
      headers: { 'clear-site-data': '"cookies"' },
    });
  }
  const pieces = header.split(';');
  const own = new Map<string, string[]>();
  const others: string[] = [];
  for (const piece of pieces) {
    const trimmed = piece.startsWith(' ') ? piece.slice(1) : piece;
    const equals = trimmed.indexOf('=');
    const name = equals === -1 ? trimmed : trimmed.slice(0, equals);
    const value = equals === -1 ? '' : trimmed.slice(equals + 1);
    if (names.isOwnCookie(name)) own.set(name, [...(own.get(name) ?? []), value]);
    else if (!hidesOwn(value, names) && trimmed !== '') others.push(trimmed);
  }
  const kept = own.size === 0 && others.length === pieces.length ? header : others.join('; ');
  return {
    session: joinParts(own, names.sessionCookie),
    companion: single(own.get(names.companionCookie)),
    binding: single(own.get(names.bindingCookie)),
    bypass: single(own.get(names.bypassCookie)),
    share: single(own.get(names.shareCookie)),
    attemptBinding: (bindingHash) => single(own.get(attemptBindingCookie(names, bindingHash))),
    sessionNames: [...own.keys()].filter((name) => isSessionName(name, names.sessionCookie)),
    forwarded: kept === '' ? undefined : kept,
  };
}

/** The name of the binding cookie of one attempt, told from others by the beginning of its hash. */
export function attemptBindingCookie(names: OwnNames, bindingHash: string): string {
  return `${names.bindingCookie}_${bindingHash.slice(0, 8)}`;
}

/** Old parsers also separate cookies by commas: a value must not carry one of our names behind one. */
function hidesOwn(value: string, names: OwnNames): boolean {
  if (!value.includes(',')) return false;
  return value.split(',').some((part) => names.isOwnCookie(part.split('=', 1)[0] ?? ''));
}

function single(values: readonly string[] | undefined): OwnCookie {
  const [value] = values ?? [];
  if (value === undefined) return { is: 'absent' };
  return values?.length === 1 ? { is: 'one', value } : { is: 'several' };
}

function isSessionName(name: string, sessionCookie: string): boolean {
  return (
    name === sessionCookie ||
    (name.startsWith(sessionCookie) && /^\.\d$/.test(name.slice(sessionCookie.length)))
  );
}

/** The session cookie in one piece, whole or from its numbered parts. A whole one and parts together are too many. */
function joinParts(own: ReadonlyMap<string, readonly string[]>, sessionCookie: string): OwnCookie {
  const whole = single(own.get(sessionCookie));
  let value = '';
  let count = 0;
  for (; count < 10; count++) {
    const part = single(own.get(`${sessionCookie}.${count}`));
    if (part.is === 'several') return part;
    if (part.is === 'absent') break;
    value += part.value;
  }
  if (count === 0) return whole;
  return whole.is === 'absent' ? { is: 'one', value } : { is: 'several' };
}

/** The cookies that carry a session token, by name: one, or numbered parts of one. Undefined when it is too large. */
export function splitSessionToken(
  token: string,
  names: OwnNames,
): { name: string; value: string }[] | undefined {
  if (token.length <= partBytes) return [{ name: names.sessionCookie, value: token }];
  const count = Math.ceil(token.length / partBytes);
  if (count > mostParts) return undefined;
  return Array.from({ length: count }, (_, index) => ({
    name: `${names.sessionCookie}.${index}`,
    value: token.slice(index * partBytes, (index + 1) * partBytes),
  }));
}
