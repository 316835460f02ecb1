import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';

export type Http2Sessions = {
  /** Follows a session to the end of its socket. */
  add(session: ServerHttp2Session, socket: Socket): void;
  /** Lets the open streams end, without beginning new ones. */
  close(): void;
  destroy(): void;
};

/** How long the other side may take to end its half of a connection that nobody used any more. */
const lingerMilliseconds = 3_000;

/**
 * The sessions of HTTP/2 of one listener, and their end. Node by itself keeps the socket of a session for as long as the
 * other side neither ends its half nor reads what is left for it.
 */
export function createHttp2Sessions(idleMilliseconds: number): Http2Sessions {
  const sockets = new Map<ServerHttp2Session, Socket>();

  return {
    add(session, socket) {
      let streams = 0;
      let isToClose = false;
      const close = session.close.bind(session);
      // By streams and not by bytes: pings, or a header that never ends, hold nothing.
      const idle = setTimeout(() => {
        if (streams > 0) return;
        if (session.closed || session.destroyed) {
          socket.destroy();
          return;
        }
        close();
        setTimeout(() => socket.destroy(), lingerMilliseconds).unref();
      }, idleMilliseconds).unref();
      sockets.set(session, socket);
      socket.once('close', () => {
        clearTimeout(idle);
        sockets.delete(session);
      });
      session.on('error', () => session.destroy());
      session.on('stream', (stream: ServerHttp2Stream) => {
        streams++;
        stream.on('error', () => {});
        stream.once('close', () => {
          streams--;
          if (streams > 0) return;
          if (isToClose) close();
          idle.refresh();
        });
      });
      // After the other side's goodbye Node closes a session at once, while streams go on. When a broken frame follows,
      // it reports none of a closed session, but stops reading: it would hear neither of that nor of the socket's end,
      // and keep streams and upstreams for ever. So what Node calls then waits for the streams.
      session.on('goaway', (code: number) => {
        if (code !== 0) return;
        session.close = () => {
          isToClose = true;
          if (streams === 0) close();
        };
      });
    },

    close() {
      for (const session of sockets.keys()) session.close();
    },

    destroy() {
      for (const [session, socket] of sockets) {
        session.destroy();
        socket.destroy();
      }
    },
  };
}
