import type { IncomingHttpHeaders } from 'node:http';
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

export type ResponseFacts = {
  /** The canonical host, for which cookies may be set. */
  readonly hostName: string;
  readonly reference: string;
  /** A visitor's session let the request pass: nobody else may be given the answer. */
  readonly personal: boolean;
  /** The address carries a secret of ours: pages at it tell nobody where they are. */
  readonly secretInAddress: boolean;
  /** HTTP/1.0 has no trailers. */
  readonly trailersPossible: boolean;
};

export type ResponseHeaderRules = {
  /** From the upstream's raw headers to ours, flat, in order, duplicates kept. */
  forClient(received: readonly (Buffer | string)[], facts: ResponseFacts): string[];
  /** Trailers that may be passed on: those that say nothing about framing, routing or cookies. */
  trailersForClient(received: IncomingHttpHeaders): Record<string, string | string[]>;
};

export function createResponseHeaderRules(names: OwnNames): ResponseHeaderRules {
  const { wire } = names;
  // An upstream that echoes its request headers would hand its tokens to the browser.
  const ownHeaders = new Set(
    [wire.requestIdHeader, wire.errorHeader, wire.oidcTokenHeader, wire.passportTokenHeader].map(bare),
  );
  const isOwn = (name: string) => name.startsWith('x') && ownHeaders.has(bare(name));

  return {
    forClient(received, facts) {
      const listed = listedInConnection(received);
      const headers: string[] = [];
      let cacheControl: string | undefined;
      let hasLength = false;
      for (let index = 0; index + 1 < received.length; index += 2) {
        const name = textOf(received[index]);
        const value = textOf(received[index + 1]);
        const lower = name.toLowerCase();
        if (connectionHeaders.has(lower) || listed?.has(lower) === true || isOwn(lower)) continue;
        if (lower === 'set-cookie' && !mayBeSet(value, names, facts.hostName)) continue;
        if (facts.secretInAddress && lower === 'referrer-policy') continue;
        if (facts.personal) {
          if (sharedCacheHeaders.test(lower)) continue;
          if (lower === 'cache-control') {
            cacheControl = cacheControl === undefined ? value : `${cacheControl}, ${value}`;
            continue;
          }
        }
        if (lower === 'content-length') hasLength = true;
        headers.push(name, value);
      }
      if (facts.secretInAddress) headers.push('referrer-policy', 'no-referrer');
      if (facts.personal) headers.push('cache-control', personalCacheControl(cacheControl));
      headers.push(wire.requestIdHeader, facts.reference);
      return hasLength || !facts.trailersPossible ? withoutTrailer(headers) : headers;
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

/** Node refuses a `Trailer` announced for an answer that is not chunked (RFC 9112 section 6.5). */
function withoutTrailer(headers: string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    if (headers[index]?.toLowerCase() !== 'trailer')
      kept.push(headers[index] ?? '', headers[index + 1] ?? '');
  }
  return kept;
}

function textOf(part: Buffer | string | undefined): string {
  return typeof part === 'string' ? part : (part?.toString('latin1') ?? '');
}

function listedInConnection(received: readonly (Buffer | string)[]): Set<string> | undefined {
  let listed: Set<string> | undefined;
  for (let index = 0; index + 1 < received.length; index += 2) {
    if (textOf(received[index]).toLowerCase() !== 'connection') continue;
    for (const option of textOf(received[index + 1])
      .toLowerCase()
      .split(',')) {
      const name = option.trim();
      // An upstream may not take away what browsers protect themselves by.
      if (name !== '' && name !== 'close' && name !== 'keep-alive') (listed ??= new Set()).add(name);
    }
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
