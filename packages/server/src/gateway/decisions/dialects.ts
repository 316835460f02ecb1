import { isIP } from 'node:net';
import { publicError } from '#errors';
import { createMemo } from '../request/memo.ts';
import type { HeaderList } from '../request/header-list.ts';
import type { SentRequest } from '../request/sent-request.ts';

export type DialectName = 'nginx' | 'forward-auth' | 'envoy' | 'haproxy';

/** The request that a visitor sent to a front proxy, as that tells it. */
export type ToldRequest = {
  readonly sent: SentRequest;
  readonly protocol: string;
  /** The visitor's address; then those that stood before it, in the proxy's own list. */
  readonly address: string;
  readonly addressesBefore: string | undefined;
};

const dialectFolder = '/decide/';
const envoyFolder = `${dialectFolder}envoy/`;
const dialects: ReadonlyMap<string, DialectName> = new Map([
  [`${dialectFolder}nginx`, 'nginx'],
  [`${dialectFolder}forward-auth`, 'forward-auth'],
  [`${dialectFolder}haproxy`, 'haproxy'],
]);

/** The dialect of an address on the decision listener; undefined where there is none. */
export function dialectOf(url: string): DialectName | undefined {
  const question = url.indexOf('?');
  const path = question === -1 ? url : url.slice(0, question);
  // Envoy puts its folder before the path that it was asked for.
  return dialects.get(path) ?? (path.startsWith(envoyFolder) ? 'envoy' : undefined);
}

type Part = 'method' | 'protocol' | 'host' | 'uri' | 'addresses';
type Parts = Record<Part, string>;

/** Names of our own ready configurations: nothing else sets them. */
const original: ReadonlyMap<string, Part> = new Map([
  ['x-original-method', 'method'],
  ['x-original-proto', 'protocol'],
  ['x-original-host', 'host'],
  ['x-original-uri', 'uri'],
  ['x-original-address', 'addresses'],
]);

/** The headers that a dialect tells the parts of a request in. What is not there stands in the call itself. */
const tellingHeaders: Readonly<Record<DialectName, ReadonlyMap<string, Part>>> = {
  nginx: original,
  haproxy: original,
  'forward-auth': new Map([
    ['x-forwarded-method', 'method'],
    ['x-forwarded-proto', 'protocol'],
    ['x-forwarded-host', 'host'],
    ['x-forwarded-uri', 'uri'],
    ['x-forwarded-for', 'addresses'],
  ]),
  envoy: new Map([
    ['x-original-proto', 'protocol'],
    ['host', 'host'],
    ['x-original-address', 'addresses'],
  ]),
};

/** What belongs to the call of the front proxy, and not to the visitor's request. */
const ofTheCall = new Set(['host', 'connection', 'upgrade', 'expect', 'content-length', 'transfer-encoding']);
const isOfTheCall = (name: string) =>
  ofTheCall.has(name) || name.startsWith('x-original-') || name.startsWith('x-forwarded-');

/** What a header of the call is: it tells a part of the visitor's request, or is one of that request's own. */
type Fate = Part | 'of the call' | 'of the visitor';

function fatesIn(dialect: DialectName) {
  const tells = tellingHeaders[dialect];
  return createMemo<Fate>((name) => {
    const plain = name.toLowerCase();
    return tells.get(plain) ?? (isOfTheCall(plain) ? 'of the call' : 'of the visitor');
  });
}

/**
 * Reads the visitor's request from what the dialect documents, and from nothing else. Each part must be there once:
 * one that is missing would have to be guessed, of two one is the visitor's own.
 *
 * What it makes throws {PublicError} `request_ambiguous`
 */
export function createToldReader(): (dialect: DialectName, request: SentRequest) => ToldRequest {
  const fates: Readonly<Record<DialectName, ReturnType<typeof fatesIn>>> = {
    nginx: fatesIn('nginx'),
    haproxy: fatesIn('haproxy'),
    'forward-auth': fatesIn('forward-auth'),
    envoy: fatesIn('envoy'),
  };

  return (dialect, request) => {
    const { rawHeaders } = request;
    const fateOf = fates[dialect];
    const told: Partial<Parts> =
      dialect === 'envoy'
        ? { method: request.method ?? '', uri: (request.url ?? '').slice(envoyFolder.length - 1) }
        : {};
    const ofTheVisitor = ['host', ''];
    const tells = tellingHeaders[dialect];
    let missing = tells.size;
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const name = rawHeaders[index] ?? '';
      const value = rawHeaders[index + 1] ?? '';
      const fate = fateOf(name);
      if (fate === 'of the visitor') {
        ofTheVisitor.push(name, value);
      } else if (fate !== 'of the call') {
        if (told[fate] !== undefined) throw odd(`The header ${name.toLowerCase()} was received twice.`);
        told[fate] = value;
        if (value !== '') missing--;
      }
    }
    if (missing > 0) {
      const [name] = [...tells].find(([, part]) => (told[part] ?? '') === '') ?? [];
      throw odd(`The header ${name} is missing.`);
    }
    const parts = told as Parts;
    ofTheVisitor[1] = parts.host;
    return toldRequest(parts, ofTheVisitor);
  };
}

function toldRequest(parts: Parts, ofTheVisitor: HeaderList): ToldRequest {
  if (!/^[A-Z][A-Z-]{0,31}$/.test(parts.method)) throw odd('The method is none.');
  // The proxy that asks wrote the last one; what stands before it is only as good as who wrote that.
  const comma = parts.addresses.lastIndexOf(',');
  const address = parts.addresses.slice(comma + 1).trim();
  if (isIP(address) === 0) throw odd('The address of the visitor is none.');
  return {
    sent: {
      method: parts.method,
      url: parts.uri,
      httpVersionMajor: 1,
      httpVersionMinor: 1,
      rawHeaders: ofTheVisitor,
    },
    protocol: parts.protocol,
    address,
    addressesBefore: comma === -1 ? undefined : parts.addresses.slice(0, comma),
  };
}

function odd(description: string) {
  return publicError('request_ambiguous', {
    description: `What the front proxy tells of the request cannot be read. ${description}`,
    mend: 'Compare its configuration with the one in docs/guides/front-proxies.',
  });
}
