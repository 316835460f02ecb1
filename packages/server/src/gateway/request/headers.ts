import { publicError } from '#errors';
import { createMemo } from './memo.ts';
import { isNamed, valuesOf, type HeaderList } from './header-list.ts';
import { portOf, type PublicAddress, type RequestHost } from './host.ts';
import { bare, type OwnNames } from './own-names.ts';
import { withoutOwnParameters } from './target.ts';

export type RequestHeaderRules = {
  /**
   * The headers for the upstream. Whatever could speak in our name, the connection's own headers and those listed in
   * `Connection` go first; ours are set after, so nothing that a client sends can take them away.
   */
  forUpstream(sent: HeaderList, ours: OwnHeaders): string[];
};

/** What the gateway itself says about a request. */
export type OwnHeaders = {
  /** Passed as OPTIONS alone: without a body, and without what could make another method of it. */
  readonly isPreflight: boolean;
  readonly host: RequestHost;
  readonly clientAddress: string;
  readonly reference: string;
  readonly cookies: string | undefined;
  readonly visitorToken: string | undefined;
  readonly workloadToken: string | undefined;
};

/** Of one connection only (RFC 9110 section 7.6.1), and the two through which CGI programs are told lies. */
const connectionHeaders = [
  'connection',
  'proxy-connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'http2-settings',
  'proxy-authorization',
  'proxy',
];

/** Set by us or not at all. `Content-Length` stays when it is spelled so and no other way. */
const ownHeaders = [
  'host',
  'cookie',
  'cookie2',
  'forwarded',
  'x-real-ip',
  'x-rewrite-url',
  'x-original-url',
  'x-original-uri',
  'x-original-host',
  'x-original-method',
];

/** What would make something else of a request that passed as OPTIONS. */
const methodOverrides = ['x-http-method-override', 'x-http-method', 'x-method-override'];
const notInPreflights = ['content-length', 'content-type', 'content-encoding', ...methodOverrides];

type Fate = 'drop' | 'keep' | 'referer' | 'not-in-preflights';

const overridingMethod = new Set(methodOverrides.map(bare));

/** Whether a header, in any spelling, tells the upstream that the method is another. */
export function overridesMethod(sent: HeaderList): boolean {
  return sent.some((name, index) => index % 2 === 0 && overridingMethod.has(bare(name)));
}

/** Whether the visitor asks for a WebSocket. Its key comes through every proxy; `Upgrade` is of one connection. */
export function asksForWebSocket(sent: HeaderList): boolean {
  return valuesOf(sent, 'sec-websocket-key').length > 0;
}

export function createRequestHeaderRules(names: OwnNames, address: PublicAddress): RequestHeaderRules {
  const protocol = address.protocol.slice(0, -1);
  const { port } = portOf(address);
  const dropped = new Set([...connectionHeaders, ...ownHeaders].map(bare));
  const overriding = new Set(notInPreflights.map(bare));
  const ownFamily = bare(`x-${names.wire.prefix}-`);
  const fateOf = createMemo<Fate>((name) => {
    const plain = bare(name);
    if (plain.startsWith(ownFamily) || plain.startsWith('xforwarded') || dropped.has(plain)) return 'drop';
    // A CGI program would read `Content_Length` as the length of the body.
    if (plain === 'contentlength' && name.toLowerCase() !== 'content-length') return 'drop';
    if (overriding.has(plain)) return 'not-in-preflights';
    return plain === 'referer' ? 'referer' : 'keep';
  });

  return {
    forUpstream(sent, ours) {
      const listed = listedInConnection(sent);
      const headers: string[] = ['host', ours.host.authority];
      for (let index = 0; index < sent.length; index += 2) {
        const name = sent[index] ?? '';
        const value = sent[index + 1] ?? '';
        const fate = fateOf(name);
        if (fate === 'not-in-preflights' && ours.isPreflight) continue;
        if (fate === 'drop' || (listed !== undefined && listed.has(name.toLowerCase()))) continue;
        headers.push(name, fate === 'referer' ? withoutOwnParameters(value, names) : value);
      }
      if (wantsTrailers(sent)) headers.push('te', 'trailers');
      if (ours.cookies !== undefined) headers.push('cookie', ours.cookies);
      headers.push(
        'x-forwarded-for',
        // Left out, the gateway would be taken for the visitor.
        ours.clientAddress === '' ? 'unknown' : ours.clientAddress,
        'x-forwarded-host',
        ours.host.authority,
        'x-forwarded-proto',
        protocol,
        'x-forwarded-port',
        port,
        'forwarded',
        forwardedOf(ours, protocol),
        names.wire.requestIdHeader,
        ours.reference,
      );
      if (ours.visitorToken !== undefined) headers.push(names.wire.passportTokenHeader, ours.visitorToken);
      if (ours.workloadToken !== undefined) headers.push(names.wire.oidcTokenHeader, ours.workloadToken);
      return headers;
    },
  };
}

/** RFC 7239. An IPv6 address stands in brackets and quotes. */
function forwardedOf({ host, clientAddress }: OwnHeaders, protocol: string): string {
  const client = clientAddress.includes(':') ? `"[${clientAddress}]"` : clientAddress;
  return `for=${client === '' ? 'unknown' : client};host="${host.authority}";proto=${protocol}`;
}

// Taking these away at a client's wish would change what the request is.
const neverListed = new Set([
  'host',
  'content-length',
  'content-type',
  'cookie',
  'close',
  'keep-alive',
  'upgrade',
]);

function listedInConnection(sent: HeaderList): Set<string> | undefined {
  let listed: Set<string> | undefined;
  for (let index = 0; index < sent.length; index += 2) {
    if (!isNamed(sent[index], 'connection')) continue;
    for (const option of (sent[index + 1] ?? '').toLowerCase().split(',')) {
      const name = option.trim();
      if (name !== '' && !neverListed.has(name)) (listed ??= new Set()).add(name);
    }
  }
  return listed;
}

function wantsTrailers(sent: HeaderList): boolean {
  for (let index = 0; index < sent.length; index += 2) {
    if (isNamed(sent[index], 'te') && /(?:^|,)\s*trailers\s*(?:,|$)/i.test(sent[index + 1] ?? ''))
      return true;
  }
  return false;
}

/** What carries the request's body; `length` is undefined for a chunked one. */
export type Body = { readonly length: number | undefined } | undefined;

/**
 * How long the body is, in the one reading there is (RFC 9112 section 6). Node's parser refuses most that is
 * ambiguous before; what it lets through and other servers read differently is refused here.
 *
 * @throws {PublicError} `request_ambiguous`, and the connection is closed
 */
export function parseFraming(request: {
  rawHeaders: HeaderList;
  httpVersionMajor: number;
  httpVersionMinor: number;
}): Body {
  const encodings = valuesOf(request.rawHeaders, 'transfer-encoding');
  const lengths = valuesOf(request.rawHeaders, 'content-length');
  if (encodings.length === 0 && lengths.length === 0) return undefined;
  if (encodings.length > 0) {
    if (lengths.length > 0) throw ambiguous('Both Transfer-Encoding and Content-Length were received.');
    if (encodings.length > 1 || encodings[0]?.toLowerCase() !== 'chunked') {
      throw ambiguous('A Transfer-Encoding other than "chunked" was received.');
    }
    if (request.httpVersionMajor === 1 && request.httpVersionMinor === 0) {
      throw ambiguous('Transfer-Encoding was received in HTTP/1.0.');
    }
    return { length: undefined };
  }
  if (lengths.length > 1 || !/^\d{1,15}$/.test(lengths[0] ?? '')) {
    throw ambiguous('More than one Content-Length, or one that is no number, was received.');
  }
  const length = Number(lengths[0]);
  return length === 0 ? undefined : { length };
}

function ambiguous(description: string) {
  return publicError('request_ambiguous', {
    description,
    mend: 'Send one Content-Length, or Transfer-Encoding: chunked alone.',
    headers: { connection: 'close' },
  });
}
