import { isIP } from 'node:net';
import { publicError } from '#errors';
import { valuesOf, type HeaderList } from '../request/header-list.ts';
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

export const dialectFolder = '/decide/';

/** The dialect of an address on the decision listener; undefined where there is none. */
export function dialectOf(url: string): DialectName | undefined {
  const path = url.split('?', 1)[0] ?? '';
  switch (path) {
    case `${dialectFolder}nginx`:
      return 'nginx';
    case `${dialectFolder}forward-auth`:
      return 'forward-auth';
    case `${dialectFolder}haproxy`:
      return 'haproxy';
    default:
      // Envoy puts this before the path that it was asked for.
      return path.startsWith(`${dialectFolder}envoy/`) ? 'envoy' : undefined;
  }
}

/**
 * Reads the visitor's request from what the dialect documents, and from nothing else. Each part must be there once:
 * one that is missing would have to be guessed, of two one is the visitor's own.
 *
 * @throws {PublicError} `request_ambiguous`
 */
export function readTold(dialect: DialectName, request: SentRequest): ToldRequest {
  const { rawHeaders } = request;
  switch (dialect) {
    case 'nginx':
    case 'haproxy': {
      // Names of our own ready configurations: nothing else sets them.
      const told = (part: string) => one(rawHeaders, `x-original-${part}`);
      return toldRequest(request, {
        method: told('method'),
        protocol: told('proto'),
        host: told('host'),
        uri: told('uri'),
        addresses: told('address'),
      });
    }
    case 'forward-auth': {
      const told = (part: string) => one(rawHeaders, `x-forwarded-${part}`);
      return toldRequest(request, {
        method: told('method'),
        protocol: told('proto'),
        host: told('host'),
        uri: told('uri'),
        addresses: told('for'),
      });
    }
    case 'envoy':
      return toldRequest(request, {
        method: request.method ?? '',
        protocol: one(rawHeaders, 'x-original-proto'),
        host: one(rawHeaders, 'host'),
        uri: (request.url ?? '').slice(`${dialectFolder}envoy`.length),
        addresses: one(rawHeaders, 'x-original-address'),
      });
  }
}

type Parts = { method: string; protocol: string; host: string; uri: string; addresses: string };

function toldRequest(request: SentRequest, parts: Parts): ToldRequest {
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
      rawHeaders: ['host', parts.host, ...visitorHeaders(request.rawHeaders)],
      headers: { ...request.headers, host: parts.host },
    },
    protocol: parts.protocol,
    address,
    addressesBefore: comma === -1 ? undefined : parts.addresses.slice(0, comma),
  };
}

/** What belongs to the call of the front proxy, and not to the visitor's request. */
const ofTheCall =
  /^(?:host|connection|upgrade|expect|content-length|transfer-encoding|x-original-.*|x-forwarded-.*)$/;

function visitorHeaders(sent: HeaderList): string[] {
  const kept: string[] = [];
  for (let index = 0; index < sent.length; index += 2) {
    const name = sent[index] ?? '';
    if (!ofTheCall.test(name.toLowerCase())) kept.push(name, sent[index + 1] ?? '');
  }
  return kept;
}

function one(sent: HeaderList, name: string): string {
  const [value = '', ...more] = valuesOf(sent, name);
  if (value === '') throw odd(`The header ${name} is missing.`);
  if (more.length > 0) throw odd(`The header ${name} was received twice.`);
  if (!/^[\x20-\x7e]+$/.test(value)) throw odd(`The header ${name} is not printable ASCII.`);
  return value;
}

function odd(description: string) {
  return publicError('request_ambiguous', {
    description: `What the front proxy tells of the request cannot be read. ${description}`,
    mend: 'Compare its configuration with the one in docs/guides/front-proxies.',
  });
}
