import type { IncomingMessage, ServerResponse } from 'node:http';
import { hasGone, isHttp2 } from './http-version.ts';

/** How long the other side of a connection may take, in milliseconds. A body that a door reads has a time of its own. */
export type Patience = {
  /** For a request's head; looked after every few seconds. */
  readonly head: number;
  /** For what is left of a body when its request was answered without it. */
  readonly unreadBody: number;
  /** Without taking a byte of an answer that is whole. */
  readonly untakenAnswer: number;
  /** Without a request on a connection of HTTP/2. */
  readonly idleSession: number;
};

export const usualPatience: Patience = {
  head: 10_000,
  unreadBody: 10_000,
  untakenAnswer: 60_000,
  idleSession: 60_000,
};

/** To be called when an answer was ended: whoever takes nothing of it must not keep its connection for ever. */
export function waitUntilTaken(response: ServerResponse, milliseconds: number): void {
  // Nearly always the socket has all of it already.
  if (response.writableFinished || hasGone(response)) return;
  // Node's own timer: it sees what leaves of a piece.
  response.setTimeout(milliseconds, () => response.destroy());
}

/** Whether a request of HTTP/1.1 says that bytes follow its head. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/**
 * To be called when a request with a body begins. An answer may be whole before the body is (a refusal by its head
 * alone), and whoever sends all of it before reading anything would lose the answer if the connection were closed at
 * once: bytes that meet a closed socket are answered by a reset, which takes along what was not read yet (RFC 9112
 * section 9.6). So our half is ended, and what comes is read and forgotten until the body is whole.
 */
export function closeAfterBody(request: IncomingMessage): void {
  const { socket } = request;
  const close = () => {
    Reflect.deleteProperty(socket, 'destroySoon');
    socket.destroySoon();
  };
  let isEnding = false;
  // What Node calls when an answer was the last of its connection, and others when they lose their patience.
  socket.destroySoon = () => {
    if (isEnding) return;
    if (request.complete || request.destroyed) {
      close();
      return;
    }
    isEnding = true;
    socket.end();
    request.once('end', close).resume();
  };
}

/**
 * To be called when an answer is over. In HTTP/1.1 the rest of the body stands before the next request; cut off at
 * once, it could take the answer with it, and bytes that trickle in would keep the connection for ever.
 */
export function waitForUnreadBody(request: IncomingMessage, milliseconds: number): void {
  if (request.complete || isHttp2(request) || request.socket.destroyed) return;
  request.resume();
  setTimeout(() => {
    if (!request.complete) request.socket.destroy();
  }, milliseconds).unref();
}
