import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2';
import { createServer as createHttpsServer, type Server } from 'node:https';
import type { RequestListener, ServerOptions } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Certificates } from './certificates.ts';
import { createHttp2Sessions } from './http2-sessions.ts';

export type SecureServer = {
  readonly server: Server;
  /** Lets the streams of HTTP/2 end, without beginning new ones. */
  closeSessions(): void;
  destroySessions(): void;
};

const minVersion = 'TLSv1.2';
const handshakeMilliseconds = 10_000;

/**
 * HTTP/1.1 and HTTP/2 over TLS on one port; the browser's choice by ALPN. HTTP/2 has no upgrades and, since
 * SETTINGS_ENABLE_CONNECT_PROTOCOL is not offered (RFC 8441), no WebSockets: browsers open those by HTTP/1.1.
 */
export function createSecureServer(
  options: ServerOptions,
  certificates: Certificates,
  onRequest: RequestListener,
  idleMilliseconds: number,
): SecureServer {
  const sessions = createHttp2Sessions(idleMilliseconds);
  const http2 = createHttp2Server({
    maxSendHeaderBlockLength: options.maxHeaderSize,
    settings: {
      maxConcurrentStreams: 128,
      maxHeaderListSize: options.maxHeaderSize,
      enableConnectProtocol: false,
    },
  });
  // Its request and answer are those of HTTP/1 by design; what differs is in `http-version.ts` and in the gateway.
  http2.on('request', onRequest as never);
  const server = createHttpsServer(
    {
      ...options,
      minVersion,
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: handshakeMilliseconds,
      SNICallback: (host, answer) => answer(null, certificates.find(host)),
    },
    onRequest,
  );
  // Node asks no SNICallback where no host is named, as by who knows an address alone.
  certificates.followFirst((pair) => server.setSecureContext({ ...pair, minVersion }));
  const [speakHttp1] = server.listeners('secureConnection') as ((socket: TLSSocket) => void)[];
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => socket.destroy());
    if (socket.alpnProtocol === 'h2') {
      const add = (session: ServerHttp2Session): void => sessions.add(session, socket);
      http2.once('session', add);
      http2.emit('connection', socket);
      http2.off('session', add);
    } else speakHttp1?.call(server, socket);
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return {
    server,
    closeSessions: sessions.close,
    destroySessions: sessions.destroy,
  };
}
