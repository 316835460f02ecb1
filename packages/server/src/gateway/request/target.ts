import { publicError } from '#errors';
import type { OwnNames } from './own-names.ts';

/** What is asked for, decided about and forwarded: the same bytes in all three. */
export type RequestTarget = {
  /** As it was sent. */
  readonly path: string;
  /** Path and query without our own parameters: what the upstream sees and where a visitor comes back to. */
  readonly forwarded: string;
  readonly query: string;
};

/**
 * The target of a request (RFC 9112 section 3.2.1, origin form only).
 *
 * Refused, because servers read them differently: dot segments in any spelling (`..`, `%2e%2e`, `..;x`, behind an
 * encoded slash), backslashes, encoded control characters, double encoding of any of these, percent signs that begin
 * no escape, fragments, bytes outside printable ASCII, absolute form. Forwarded byte for byte, and decided about in
 * the same bytes: empty segments (`//`), `%2f`, `;`. No rule of ours takes one path for another, so these can lead an
 * upstream nowhere that the decision did not speak of.
 *
 * @throws {PublicError} `request_ambiguous`
 */
export function parseTarget(url: string, names: OwnNames): RequestTarget {
  if (!url.startsWith('/')) throw ambiguous('The request target must be a path that begins with a slash.');
  if (!/^[\x21-\x7e]+$/.test(url)) throw ambiguous('The request target must be printable ASCII.');
  if (url.includes('#')) throw ambiguous('The request target must not have a fragment.');
  const question = url.indexOf('?');
  const path = question === -1 ? url : url.slice(0, question);
  const query = question === -1 ? '' : url.slice(question + 1);
  validatePath(path);
  const kept = removeOwnParameters(query, names);
  return { path, query, forwarded: kept === undefined ? path : `${path}?${kept}` };

  function removeOwnParameters(text: string, own: OwnNames): string | undefined {
    if (question === -1) return undefined;
    const pieces = text.split('&');
    const others = pieces.filter((piece) => !own.isOwnParameter(nameOf(piece)) && !hidesOwn(piece, own));
    if (others.length === pieces.length) return text;
    return others.length === 0 ? undefined : others.join('&');
  }
}

/** The parameter's name, up to the first `=`. */
function nameOf(piece: string): string {
  const equals = piece.indexOf('=');
  return equals === -1 ? piece : piece.slice(0, equals);
}

/** Some servers still separate parameters by `;`. */
function hidesOwn(piece: string, names: OwnNames): boolean {
  return piece.includes(';') && piece.split(';').some((part) => names.isOwnParameter(nameOf(part)));
}

// What one more decoding would turn into a separator, a dot or a control character.
const doublyEncoded = /%25(?:25)*(?:2[eEfF]|5[cC]|[01][0-9a-fA-F]|7[fF])/;

function validatePath(path: string): void {
  if (path.includes('\\') || /%5c/i.test(path)) throw ambiguous('The path must not have a backslash.');
  if (!path.includes('%') && !path.includes('/.')) return;
  if (/%(?![0-9a-fA-F]{2})/.test(path)) throw ambiguous('The path has a percent sign that begins no escape.');
  if (/%(?:[01][0-9a-f]|7f)/i.test(path)) throw ambiguous('The path has an encoded control character.');
  if (doublyEncoded.test(path)) throw ambiguous('The path is encoded twice.');
  for (const segment of path.split(/\/|%2f/i)) {
    const dots = (segment.split(/;|%3b/i, 1)[0] ?? '').replaceAll(/%2e/gi, '.');
    if (dots === '.' || dots === '..') throw ambiguous('The path must not have the segments "." or "..".');
  }
}

/** An address with our own parameters taken out of its query, for a `Referer`. */
export function withoutOwnParameters(address: string, names: OwnNames): string {
  const question = address.indexOf('?');
  if (question === -1) return address;
  const kept = address
    .slice(question + 1)
    .split('&')
    .filter((piece) => !names.isOwnParameter(nameOf(piece)) && !hidesOwn(piece, names));
  return kept.length === 0 ? address.slice(0, question) : `${address.slice(0, question)}?${kept.join('&')}`;
}

function ambiguous(description: string) {
  return publicError('request_ambiguous', { description, mend: 'Send the address in its plain form.' });
}
