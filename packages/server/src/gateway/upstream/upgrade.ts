import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { upstreamError, type ForwardedRequest } from './forward.ts';
import { createFrameCounter, goingAway } from './frames.ts';
import type { Pools } from './pools.ts';
import type { ResponseHeaderRules } from './response-headers.ts';

export type UpgradeNeeds = {
  pools: Pools;
  responseHeaders: ResponseHeaderRules;
  /** How long the upstream may take to answer. */
  answerMilliseconds: number;
  /** How long the visitor may take nothing of an answer that is no upgrade. */
  visitorIdleMilliseconds: number;
};

/** A WebSocket that is open, for whoever has to end it. */
export type OpenSocket = {
  cut(): void;
  /** Tells the browser that this end goes away, where the upstream is not in the middle of saying something. */
  goAway(): void;
  onceClosed(listener: () => void): void;
};

/** What is to be known, and to be done, about the upgrade that was asked for. */
export type UpgradeEvents = {
  /** Asked when the upstream agrees. @throws whatever the visitor is to be answered instead */
  mayOpen(): Promise<void>;
  onOpen(connection: OpenSocket): void;
  /** The upstream answers something else, which may take long; what this returns is called at its end. */
  onAnswer(answer: { destroy(): unknown }): () => void;
};

const halfOpenMilliseconds = 10_000;

/**
 * Opens a WebSocket (RFC 6455 section 4) at the upstream and splices the two sockets: what flows then is nobody's
 * but theirs. An upstream that answers anything but 101 is answered with that. Resolves when both sockets are joined
 * or the answer is complete; `onOpen` and `onAnswer` get a way to cut the connection.
 *
 * @throws {PublicError} `upstream_…`, only while nothing of the answer was sent
 */
export async function forwardUpgrade(
  needs: UpgradeNeeds,
  client: { request: IncomingMessage; socket: Socket; head: Buffer; response: ServerResponse },
  forwarded: ForwardedRequest,
  events: UpgradeEvents,
): Promise<void> {
  const upstream = needs.pools.find(forwarded.upstream, forwarded.teamSlug);
  const leave = upstream.enterSocket();
  // Of every way that this may end.
  client.socket.once('close', leave);
  let connected;
  try {
    connected = await upstream.connect();
  } catch (error) {
    throw upstreamError(error);
  }
  const connection = connected;
  if (client.socket.destroyed) {
    connection.destroy();
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const outgoing = httpRequest({
      method: 'GET',
      path: forwarded.path,
      headers: [...forwarded.headers, 'connection', 'Upgrade', 'upgrade', 'websocket'],
      createConnection: () => connection,
      setHost: false,
    });
    // Not as an option: that is for sockets that Node opens itself.
    connection.setTimeout(needs.answerMilliseconds, () =>
      outgoing.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })),
    );
    const onGone = () => outgoing.destroy();
    client.socket.once('close', onGone);

    const fail = (error: unknown) => {
      connection.destroy();
      if (client.response.headersSent || client.socket.destroyed) {
        client.socket.destroy();
        resolve();
      } else {
        reject(upstreamError(error));
      }
    };
    /** An answer that Node does not pass on throws, here where nobody else would catch it. */
    const orFail = (step: () => void) => {
      try {
        step();
      } catch (error) {
        fail(error);
      }
    };
    outgoing.once('error', fail);
    outgoing.once('response', (answer) => orFail(() => passOn(answer)));
    const passOn = (answer: IncomingMessage) => {
      connection.setTimeout(0);
      const { statusCode = 502, headersDistinct } = answer;
      const headers = needs.responseHeaders.forClient(statusCode, headersDistinct, forwarded.answer);
      client.response.writeHead(statusCode, headers);
      const end = events.onAnswer(client.socket);
      client.response.once('close', () => {
        end();
        resolve();
      });
      // Too late for another answer: a cut connection is the only way to say that this one is not whole.
      answer.once('close', () => {
        if (!answer.complete) client.socket.destroy();
      });
      // Nobody reads on a socket that was handed over, and so nobody would see that the visitor has gone.
      client.socket.once('end', () => client.socket.destroy()).resume();
      client.socket.setTimeout(needs.visitorIdleMilliseconds, () => client.socket.destroy());
      answer.pipe(client.response);
    };
    outgoing.once('upgrade', (answer, upstreamSocket: Duplex, upstreamHead: Buffer) => {
      connection.setTimeout(0);
      upstreamSocket.on('error', () => upstreamSocket.destroy());
      events.mayOpen().then(
        () => orFail(() => join(answer, upstreamSocket, upstreamHead)),
        (refusal: Error) => {
          upstreamSocket.destroy();
          reject(refusal);
        },
      );
    });
    const join = (answer: IncomingMessage, upstreamSocket: Duplex, upstreamHead: Buffer) => {
      client.socket.off('close', onGone);
      if (client.socket.destroyed || upstreamSocket.destroyed) {
        client.socket.destroy();
        upstreamSocket.destroy();
        resolve();
        return;
      }
      const headers = needs.responseHeaders.forClient(101, answer.headersDistinct, forwarded.answer);
      client.response.detachSocket(client.socket);
      client.socket.write(switchingProtocols(headers), 'latin1');
      if (upstreamHead.length > 0) client.socket.write(upstreamHead);
      if (client.head.length > 0) upstreamSocket.write(client.head);
      splice(client.socket, upstreamSocket);
      const frames = createFrameCounter();
      frames.push(upstreamHead);
      upstreamSocket.on('data', (chunk: Buffer) => frames.push(chunk));
      events.onOpen({
        cut: () => {
          client.socket.destroy();
          upstreamSocket.destroy();
        },
        goAway: () => {
          upstreamSocket.unpipe(client.socket);
          if (frames.isBetweenFrames()) client.socket.end(goingAway);
          else client.socket.destroy();
        },
        onceClosed: (listener) => client.socket.once('close', listener),
      });
      resolve();
    };
    outgoing.end();
  });
}

function switchingProtocols(headers: readonly string[]): string {
  let head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
  for (let index = 0; index < headers.length; index += 2)
    head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return `${head}\r\n`;
}

/** Each side's end and failure is the other's; a slow reader stops its writer. */
function splice(one: Duplex, other: Duplex): void {
  one.pipe(other);
  other.pipe(one);
  for (const [socket, peer] of [
    [one, other],
    [other, one],
  ] as const) {
    socket.on('error', () => peer.destroy());
    socket.on('close', () => peer.destroy());
    // A WebSocket is closed by both: whoever keeps a half of it open has forgotten it.
    socket.on('end', () => setTimeout(() => peer.destroy(), halfOpenMilliseconds).unref());
  }
}
