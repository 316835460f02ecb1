import { connect, type OutgoingHttpHeaders } from 'node:http2';
import { connect as connectTls } from 'node:tls';

export type Http2Answer = { status: number; headers: Record<string, unknown>; text: string };

export type Http2Connection = {
  /** Sends one request on a stream of its own. */
  ask(headers: OutgoingHttpHeaders, body?: string): Promise<Http2Answer>;
  close(): void;
};

/** One HTTP/2 connection over TLS to this machine, for the host of an origin; certificates sign themselves in tests. */
export function openHttp2(origin: string): Http2Connection {
  const { hostname, port } = new URL(origin);
  const session = connect(origin, {
    createConnection: () =>
      connectTls({
        port: Number(port || 443),
        host: '127.0.0.1',
        servername: hostname,
        ALPNProtocols: ['h2'],
        rejectUnauthorized: false,
      }),
  });
  session.on('error', () => undefined);
  return {
    ask: (headers, body = '') =>
      new Promise((resolve, reject) => {
        const stream = session.request(headers, { endStream: body === '' });
        const answer: Http2Answer = { status: 0, headers: {}, text: '' };
        stream.on('response', (received) => {
          answer.status = Number(received[':status']);
          answer.headers = received;
        });
        stream.on('data', (chunk: Buffer) => {
          answer.text += chunk.toString();
        });
        stream.once('error', reject);
        stream.once('close', () => resolve(answer));
        if (body !== '') stream.end(body);
      }),
    close: () => session.destroy(),
  };
}
