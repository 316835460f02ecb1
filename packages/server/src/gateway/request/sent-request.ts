import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { publicError } from '#errors';
import type { Readable } from 'node:stream';
import { isHttp2 } from '#http';
import type { HeaderList } from './header-list.ts';

/**
 * A request as somebody sent it, before anything is read into it: to this listener by HTTP/1.1 or HTTP/2, or to a
 * front proxy that asks what to do with it. Node's own request is one.
 */
export type SentRequest = {
  readonly method?: string | undefined;
  /** The request target, byte for byte. */
  readonly url?: string | undefined;
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  readonly rawHeaders: HeaderList;
  /** Where its body can be read, of a request that is not one of Node's itself. */
  readonly body?: Readable | undefined;
};

/** Of one connection of HTTP/1: in HTTP/2 they are malformed (RFC 9113 section 8.2.2). */
const ofHttp1 = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/**
 * What was sent to this listener. A request of HTTP/2 becomes the one of HTTP/1.1 that says the same, since that is
 * what is decided about and forwarded; whatever would say something else then is refused.
 *
 * @throws {PublicError} `request_ambiguous`, `request_not_forwarded`
 */
export function sentRequestOf(request: IncomingMessage): SentRequest {
  if (!isHttp2(request)) return request;
  const { rawHeaders, method = '' } = request;
  let authority: string | undefined;
  let host: string | undefined;
  const others: string[] = [];
  const cookies: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    if (name === ':authority') authority = value;
    else if (name === ':scheme' && value !== 'https')
      throw ambiguous('Another scheme than https was received.');
    else if (name === ':protocol') throw publicError('request_not_forwarded');
    else if (name === 'host') {
      if (host !== undefined && host !== value) throw ambiguous('Two hosts were received.');
      host = value;
    } else if (ofHttp1.has(name) || (name === 'te' && value !== 'trailers')) {
      throw ambiguous(`The header ${name} was received in HTTP/2.`);
    } else if (name === 'cookie') {
      cookies.push(value);
    } else if (!name.startsWith(':')) others.push(name, value);
  }
  if (authority !== undefined && host !== undefined && authority !== host) {
    throw ambiguous('The host and the authority differ.');
  }
  const named = authority ?? host;
  const hasBody = !(request as unknown as Http2ServerRequest).stream.endAfterHeaders;
  const hasLength = others.some((name, index) => index % 2 === 0 && name === 'content-length');
  return {
    method,
    url: request.url,
    httpVersionMajor: 1,
    httpVersionMinor: 1,
    rawHeaders: [
      ...(named === undefined ? [] : ['host', named]),
      ...others,
      // They may come in crumbs (RFC 9113 section 8.2.3).
      ...(cookies.length === 0 ? [] : ['cookie', cookies.join('; ')]),
      // Its length is said by the end of the stream.
      ...(hasBody && !hasLength ? ['transfer-encoding', 'chunked'] : []),
    ],
    body: request,
  };
}

function ambiguous(description: string) {
  return publicError('request_ambiguous', { description });
}
