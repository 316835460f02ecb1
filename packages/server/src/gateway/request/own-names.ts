import type { WireNames } from '@tessera/protocol';

/** Everything on the wire of a deployment's host that is the gateway's own and no upstream's. */
export type OwnNames = {
  readonly wire: WireNames;
  readonly sessionCookie: string;
  readonly companionCookie: string;
  readonly bindingCookie: string;
  /** Of a browser that came by a bypass secret, or by a share link. */
  readonly bypassCookie: string;
  readonly shareCookie: string;
  /** Whether a cookie is ours or would become ours in a parser that is less exact than we are. */
  isOwnCookie(name: string): boolean;
  /** Whether a query parameter is ours in any spelling that a parser might take for it. */
  isOwnParameter(name: string): boolean;
  /** Whether a path is, or decodes to, one below which only we answer. */
  isOwnPath(path: string): boolean;
};

/**
 * `secure`: whether browsers reach the host by https. Only then can a cookie have the `__Host-` prefix, which no
 * sibling host can set; plain http on a developer's machine has an unprefixed stand-in.
 */
export function createOwnNames(wire: WireNames, secure: boolean): OwnNames {
  const prefix = secure ? '__Host-' : '';
  const bypassCookie = `${prefix}_${wire.prefix}_protection_bypass`;
  const shareCookie = `${prefix}${wire.shareParameter}`;
  const cookieWords = [wire.passportCookie, `_${wire.prefix}_protection_bypass`, wire.shareParameter].map(
    bare,
  );
  const parameterWords = [wire.bypassHeader, wire.setBypassCookieName, wire.shareParameter].map(bare);
  const ownFolder = wire.finishPath.slice(0, wire.finishPath.lastIndexOf('/') + 1);
  return {
    wire,
    sessionCookie: wire.passportCookie,
    companionCookie: `${prefix}${wire.passportCookie}_companion`,
    bindingCookie: `${prefix}${wire.passportCookie}_binding`,
    bypassCookie,
    shareCookie,
    isOwnCookie: (name) => {
      const plain = bare(decodeLeniently(name));
      return cookieWords.some((word) => plain.includes(word));
    },
    isOwnParameter: (name) => {
      const plain = bare(decodeLeniently(name));
      return parameterWords.some((word) => plain.startsWith(word));
    },
    // Ours begin with a dot: what begins with a letter or digit is none in any reading, and nor is the root.
    isOwnPath: (path) => !/^\/(?:[a-z\d]|$)/i.test(path) && `${comparable(path)}/`.startsWith(ownFolder),
  };
}

/**
 * A name without what parsers disagree about: case, and every byte that is no letter or digit. CGI and WSGI make `_`
 * of `-`, PHP makes `_` of dots and spaces, some frameworks trim what is not ASCII.
 */
export function bare(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

/** Percent-decodes what can be decoded, twice, and keeps the rest: for recognising a name, never for using it. */
export function decodeLeniently(text: string): string {
  const once = (encoded: string) =>
    encoded.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  return text.includes('%') ? once(once(text)) : text;
}

/** A path as the most lenient server might read it. */
function comparable(path: string): string {
  return decodeLeniently(path)
    .toLowerCase()
    .replaceAll(/;[^/]*/g, '')
    .replaceAll('\\', '/')
    .replaceAll(/\/+/g, '/');
}
