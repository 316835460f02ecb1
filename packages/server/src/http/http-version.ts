import type { IncomingMessage, ServerResponse } from 'node:http';
import { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

/** Whether a request came by HTTP/2. Its version does not say so: a request line of HTTP/1 may name any. */
export function isHttp2(request: IncomingMessage): boolean {
  return (request as unknown) instanceof Http2ServerRequest;
}

/**
 * Whether nobody is there any more for an answer. One of HTTP/2 does not know `destroyed`; its stream may be over
 * before anybody listens for that, since whoever opened it may take it back at once.
 */
export function hasGone(response: ServerResponse): boolean {
  if (!((response as unknown) instanceof Http2ServerResponse)) return response.destroyed;
  const { stream } = response as unknown as Http2ServerResponse;
  return stream.destroyed || stream.closed;
}

/** The host that a request names: `Host`, or `:authority` in HTTP/2. */
export function hostOf(request: IncomingMessage): string | undefined {
  const { host } = request.headers;
  if (host !== undefined) return host;
  const authority = request.headers[':authority'];
  return typeof authority === 'string' ? authority : undefined;
}

/** Of one connection of HTTP/1 (RFC 9113 section 8.2.2). */
const ofHttp1 = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

/**
 * Begins an answer with these headers, flat, in order, duplicates kept, in the version of HTTP that the request came
 * in: HTTP/2 has no reason phrase, no headers of a connection, and one list of values a name.
 */
export function writeHead(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  message: string,
  headers: readonly string[],
): void {
  if (!isHttp2(request)) {
    // Node only reads it; a copy for each answer is what this path can do without.
    response.writeHead(status, message, headers as string[]);
    return;
  }
  const values = new Map<string, string[]>();
  for (let index = 0; index < headers.length; index += 2) {
    const name = (headers[index] ?? '').toLowerCase();
    if (ofHttp1.has(name)) continue;
    const known = values.get(name);
    if (known === undefined) values.set(name, [headers[index + 1] ?? '']);
    else known.push(headers[index + 1] ?? '');
  }
  for (const [name, [first = '', ...more]] of values) {
    response.setHeader(name, more.length === 0 ? first : [first, ...more]);
  }
  response.writeHead(status);
}
