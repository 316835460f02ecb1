import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { errors, type Dispatcher } from 'undici';
import { PublicError, publicError } from '#errors';
import { hasGone, isHttp2, writeHead } from '#http';
import { AddressNotAllowed } from './connector.ts';
import type { Pools } from './pools.ts';
import type { ResponseFacts, ResponseHeaderRules } from './response-headers.ts';

export type ForwardNeeds = {
  pools: Pools;
  responseHeaders: ResponseHeaderRules;
  /** How long the visitor may neither send nor take a byte that is waited for. */
  visitorIdleMilliseconds: number;
};

export type ForwardedRequest = {
  readonly upstream: string;
  readonly teamSlug: string;
  readonly path: string;
  readonly headers: string[];
  readonly hasBody: boolean;
  readonly answer: ResponseFacts;
};

/**
 * Streams a request to its upstream and the answer back. Nothing is buffered beyond what the sockets hold: each side
 * waits for the slower one. Resolves when the answer is complete or the visitor has gone.
 *
 * @throws {PublicError} `upstream_…`, only while nothing of the answer was sent
 */
export function forward(
  needs: ForwardNeeds,
  request: IncomingMessage,
  response: ServerResponse,
  forwarded: ForwardedRequest,
): Promise<void> {
  const { pool, servername, enter } = needs.pools.find(forwarded.upstream, forwarded.teamSlug);
  const leave = enter();
  const body = forwarded.hasBody ? bodyOf(request, needs.visitorIdleMilliseconds) : null;
  // An upstream may close an idle connection in the moment that it is used again. What asks and sends nothing can be
  // asked again (RFC 9110 section 9.2.2).
  let mayAskAgain = body === null && (request.method === 'GET' || request.method === 'HEAD');
  return new Promise<void>((done, fail) => {
    const resolve = () => {
      leave();
      done();
    };
    const reject = (error: PublicError) => {
      leave();
      fail(error);
    };
    let controller: Dispatcher.DispatchController | undefined;
    let bodyBegun = false;
    let isWhole = false;
    const onClose = () => {
      // The visitor has gone: the upstream need not go on. A stream of HTTP/2 that was taken back calls itself finished,
      // so it is not asked.
      if (!isWhole) controller?.abort(new Error('the visitor has gone'));
      // One that waits for a connection cannot be taken back: it keeps its place until its turn comes.
      if (controller === undefined) done();
      else resolve();
    };
    response.on('close', onClose);
    let waitsForDrain = false;
    // Node's own timer of the connection or stream: it sees what leaves of a piece, and `drain` only the last of it.
    const waitForVisitor = () => {
      if (response.listenerCount('timeout') === 0) response.once('timeout', onIdle);
      response.setTimeout(needs.visitorIdleMilliseconds);
    };
    const onIdle = () => {
      controller?.abort(new Error('the visitor takes nothing'));
      response.destroy();
    };
    const onDrain = () => {
      waitsForDrain = false;
      response.setTimeout(0);
      controller?.resume();
    };

    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(started) {
        controller = started;
        if (hasGone(response)) started.abort(new Error('the visitor has gone'));
      },
      onResponseStart(_controller, statusCode, headers, statusMessage) {
        // Interim answers (RFC 9110 section 15.2) are of one connection; the final one follows.
        if (statusCode < 200) return;
        writeHead(
          request,
          response,
          statusCode,
          /^[\t\x20-\x7e]*$/.test(statusMessage ?? '') ? (statusMessage ?? '') : '',
          needs.responseHeaders.forClient(statusCode, headers, forwarded.answer),
        );
        // Headers leave together with the first bytes where these came with them, and alone where they are long in
        // coming (server-sent events). What came in one piece is read before this gets its turn.
        process.nextTick(() => {
          if (!bodyBegun && !hasGone(response)) response.flushHeaders();
        });
      },
      onResponseData(started, chunk) {
        bodyBegun = true;
        if (response.write(chunk)) return;
        started.pause();
        if (waitsForDrain) return;
        waitsForDrain = true;
        response.once('drain', onDrain);
        waitForVisitor();
      },
      onResponseEnd(_controller, trailers) {
        bodyBegun = true;
        isWhole = true;
        if (forwarded.answer.trailersPossible && (response.chunkedEncoding || isHttp2(request))) {
          const passed = needs.responseHeaders.trailersForClient(trailers);
          if (Object.keys(passed).length > 0) response.addTrailers(passed);
        }
        response.end();
        // The upstream is done; what is left is the visitor's to take.
        leave();
        if (response.writableLength > 0) waitForVisitor();
      },
      onResponseError(_controller, error) {
        if (response.headersSent) {
          response.off('close', onClose);
          // Too late for another answer: a cut connection is the only way to say that this one is not whole.
          response.destroy();
          resolve();
        } else if (hasGone(response)) {
          resolve();
        } else if (mayAskAgain && isBrokenConnection(error)) {
          mayAskAgain = false;
          controller = undefined;
          dispatch();
        } else {
          response.off('close', onClose);
          reject(upstreamError(error));
        }
      },
    };
    const dispatch = () => {
      try {
        pool.dispatch(
          {
            path: forwarded.path,
            method: request.method ?? 'GET',
            headers: forwarded.headers,
            body,
            ...(servername === undefined ? {} : { servername }),
          },
          handler,
        );
      } catch (error) {
        response.off('close', onClose);
        reject(upstreamError(error));
      }
    };
    dispatch();
  });
}

function isBrokenConnection(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    /^(?:UND_ERR_SOCKET|ECONNRESET|EPIPE)$/.test(String(error.code))
  );
}

/**
 * The request's body as a stream of its own: undici destroys what it is given when the upstream fails, and the
 * visitor's connection is still needed for the answer.
 */
function bodyOf(request: IncomingMessage, idleMilliseconds: number): Readable {
  let idle: NodeJS.Timeout | undefined;
  const stopWaiting = () => {
    clearTimeout(idle);
    idle = undefined;
  };
  const body = new Readable({
    read() {
      idle ??= setTimeout(() => body.destroy(publicError('request_stalled')), idleMilliseconds).unref();
      request.resume();
    },
    destroy(error, callback) {
      stopWaiting();
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      // What still comes is read and forgotten, so that the answer can be.
      request.resume();
      callback(error);
    },
  });
  const onData = (chunk: Buffer) => {
    if (body.push(chunk)) {
      idle?.refresh();
    } else {
      stopWaiting();
      request.pause();
    }
  };
  const onEnd = () => {
    stopWaiting();
    body.push(null);
  };
  const onClose = () => {
    if (!request.complete) body.destroy(new Error('the visitor has gone'));
  };
  request.on('data', onData).on('end', onEnd).on('close', onClose);
  request.pause();
  return body;
}

/** What went wrong between us and the upstream, for the visitor; the cause is for the log. */
export function upstreamError(error: unknown): PublicError {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (error instanceof PublicError) return error;
  if (error instanceof AddressNotAllowed) return publicError('upstream_not_allowed', { cause: error });
  if (/TIMEOUT|ETIMEDOUT/.test(code)) return publicError('upstream_timeout', { cause: error });
  if (
    error instanceof errors.HTTPParserError ||
    /^HPE_|UND_ERR_(?:HEADERS_OVERFLOW|RES_|INVALID)|^ERR_(?:HTTP|INVALID)/.test(code)
  ) {
    return publicError('upstream_failed', { cause: error });
  }
  return publicError('upstream_unreachable', { cause: error });
}
