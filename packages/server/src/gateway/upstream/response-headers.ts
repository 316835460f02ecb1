import type { IncomingHttpHeaders } from 'node:http';
import { createMemo } from '../request/memo.ts';
import { bare, type OwnNames } from '../request/own-names.ts';

/** Of one connection only (RFC 9110 section 7.6.1). `Trailer` stays where trailers can be sent. */
const connectionHeaders = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'te',
  'transfer-encoding',
  'upgrade',
  'proxy-authenticate',
]);

/** For caches between us and visitors, which do not know who may see what; they obey these before `Cache-Control`. */
const sharedCacheHeaders =
  /^(?:(?:cdn|surrogate|[a-z]+-cdn)-(?:cache-)?control|edge-control|x-accel-expires|x-litespeed-cache-control)$/;

/** Answers that have no body by their status (RFC 9110 section 6.4.1). */
const withoutBody = new Set([101, 204, 304]);

export type ResponseFacts = {
  /** The canonical host, for which cookies may be set. */
  readonly hostName: string;
  readonly reference: string;
  /** A visitor's session let the request pass: nobody else may be given the answer. */
  readonly personal: boolean;
  /** The address carries a secret of ours: pages at it tell nobody where they are. */
  readonly secretInAddress: boolean;
  /** HTTP/1.0 has no trailers, and an answer to HEAD none either. */
  readonly trailersPossible: boolean;
};

/** Names in lower case; as undici has them, and Node in `headersDistinct`. */
type ReceivedHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export type ResponseHeaderRules = {
  /** From the upstream's headers to ours, flat, each name's values in order. */
  forClient(status: number, received: ReceivedHeaders, facts: ResponseFacts): string[];
  /** Trailers that may be passed on: those that say nothing about framing, routing or cookies. */
  trailersForClient(received: IncomingHttpHeaders): Record<string, string | string[]>;
};

type Fate = 'drop' | 'keep' | 'set-cookie' | 'referrer-policy' | 'shared-cache' | 'cache-control' | 'trailer';

const special: Readonly<Record<string, Fate>> = {
  'set-cookie': 'set-cookie',
  'referrer-policy': 'referrer-policy',
  'cache-control': 'cache-control',
  trailer: 'trailer',
};

export function createResponseHeaderRules(names: OwnNames): ResponseHeaderRules {
  const { wire } = names;
  // An upstream that echoes its request headers would hand its tokens to the browser.
  const ownHeaders = new Set(
    [wire.requestIdHeader, wire.errorHeader, wire.oidcTokenHeader, wire.passportTokenHeader].map(bare),
  );
  const isOwn = (name: string) => name.startsWith('x') && ownHeaders.has(bare(name));
  const fateOf = createMemo<Fate>((name) => {
    if (connectionHeaders.has(name) || isOwn(name)) return 'drop';
    if (sharedCacheHeaders.test(name)) return 'shared-cache';
    return Object.hasOwn(special, name) ? (special[name] ?? 'keep') : 'keep';
  });

  return {
    forClient(status, received, facts) {
      const listed = listedInConnection(received['connection']);
      // Node refuses a `Trailer` announced for an answer that is not chunked (RFC 9112 section 6.5).
      const isChunked =
        facts.trailersPossible && received['content-length'] === undefined && !withoutBody.has(status);
      const headers: string[] = [];
      let cacheControl: string | undefined;
      for (const name in received) {
        const value = received[name];
        const fate = fateOf(name);
        if (value === undefined || fate === 'drop' || listed?.has(name) === true) continue;
        if (fate === 'trailer' && !isChunked) continue;
        if (fate === 'referrer-policy' && facts.secretInAddress) continue;
        if (fate === 'shared-cache' && facts.personal) continue;
        if (fate === 'cache-control' && facts.personal) {
          cacheControl = typeof value === 'string' ? value : value.join(', ');
        } else if (typeof value === 'string') {
          if (fate !== 'set-cookie' || mayBeSet(value, names, facts.hostName)) headers.push(name, value);
        } else {
          for (const one of value) {
            if (fate !== 'set-cookie' || mayBeSet(one, names, facts.hostName)) headers.push(name, one);
          }
        }
      }
      if (facts.secretInAddress) headers.push('referrer-policy', 'no-referrer');
      if (facts.personal) headers.push('cache-control', personalCacheControl(cacheControl));
      headers.push(wire.requestIdHeader, facts.reference);
      return headers;
    },

    trailersForClient(received) {
      const passed: Record<string, string | string[]> = {};
      for (const [name, value] of Object.entries(received)) {
        const lower = name.toLowerCase();
        if (connectionHeaders.has(lower) || isOwn(lower) || neverInTrailers.has(lower)) continue;
        if (value !== undefined) passed[name] = value;
      }
      return passed;
    },
  };
}

const neverInTrailers = new Set([
  'set-cookie',
  'content-length',
  'content-encoding',
  'content-type',
  'content-range',
  'trailer',
  'location',
  'cache-control',
  'authorization',
  'host',
]);

function listedInConnection(received: string | readonly string[] | undefined): Set<string> | undefined {
  if (received === undefined || received === 'keep-alive' || received === 'close') return undefined;
  let listed: Set<string> | undefined;
  for (const option of String(received).toLowerCase().split(',')) {
    const name = option.trim();
    // An upstream may not take away what browsers protect themselves by.
    if (name !== '' && name !== 'close' && name !== 'keep-alive') (listed ??= new Set()).add(name);
  }
  return listed;
}

/**
 * Whether an upstream may set this cookie: none with a name of ours, and none for more than its own host, since a
 * parent domain's cookie reaches the siblings.
 */
export function mayBeSet(setCookie: string, names: OwnNames, hostName: string): boolean {
  const [received = '', ...attributes] = setCookie.split(';');
  // Browsers send a cookie without a name as its value alone, which then reads as name and value.
  const pair = received.replace(/^[\s=]+/, '');
  const equals = pair.indexOf('=');
  if (names.isOwnCookie(equals === -1 ? pair : pair.slice(0, equals))) return false;
  return attributes.every((attribute) => {
    const [name = '', value = ''] = attribute.split('=', 2);
    if (name.trim().toLowerCase() !== 'domain') return true;
    const domain = value.trim().toLowerCase().replace(/^\./, '');
    return domain === '' || domain === hostName;
  });
}

/** What the upstream said of caching, for the visitor's own browser alone. */
function personalCacheControl(received: string | undefined): string {
  if (received === undefined) return 'private';
  const directives = received
    .split(',')
    .map((directive) => directive.trim())
    .filter((directive) => directive !== '' && !/^(?:public|s-maxage|proxy-revalidate)\b/i.test(directive));
  const closed = directives.some((directive) => /^(?:private|no-store)$/i.test(directive));
  return closed ? directives.join(', ') : ['private', ...directives].join(', ');
}
