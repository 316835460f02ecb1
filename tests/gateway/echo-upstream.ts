import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

export type Echo = { method: string; url: string; headers: [name: string, value: string][]; body: string };

export type EchoUpstream = {
  origin: string;
  port: number;
  /** Every request that arrived, in order. */
  received: Echo[];
  sockets: Set<Socket>;
  close(): Promise<void>;
};

/** A deployment that answers with what it got, and by its path does what upstreams do. */
export async function startEchoUpstream(): Promise<EchoUpstream> {
  const received: Echo[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ maxHeaderSize: 128 * 1024 }, (request, response) => {
    const entry: Echo = {
      method: request.method ?? '',
      url: request.url ?? '',
      headers: pairsOf(request),
      body: '',
    };
    received.push(entry);
    answer(request, response, entry, received);
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    received.push({ method: 'UPGRADE', url: request.url ?? '', headers: pairsOf(request), body: '' });
    if (request.url === '/no-socket') {
      socket.end('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope');
      return;
    }
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${accept}\r\nSet-Cookie: _vercel_passport=evil\r\n\r\n`,
    );
    if (head.length > 0) socket.write(head);
    // Whatever comes goes back: frames are not looked into.
    socket.on('data', (chunk: Buffer) => socket.write(chunk));
    socket.on('end', () => socket.end());
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    received,
    sockets,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  entry: Echo,
  received: readonly Echo[],
): void {
  const path = (request.url ?? '').replace(/\?.*/, '');
  switch (path) {
    case '/events':
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: first\n\n');
      setTimeout(() => response.end('data: last\n\n'), 300);
      return;
    case '/trailers':
      response.writeHead(200, { trailer: 'x-sum, set-cookie' });
      response.write('body');
      response.addTrailers({
        'x-sum': '42',
        'set-cookie': '_vercel_passport=evil',
        'x-vercel-oidc-token': 'leak',
      });
      response.end();
      return;
    case '/cookies':
      response.writeHead(200, [
        ['set-cookie', 'own=1; Path=/'],
        ['set-cookie', '_vercel_passport=evil'],
        ['set-cookie', '__Host-_vercel_passport_companion=evil; Secure; Path=/'],
        ['Set-Cookie', '"_Vercel_Passport.0"=evil'],
        ['set-cookie', '=_vercel_passport=evil'],
        ['set-cookie', ' = _vercel_passport=evil; Path=/'],
        ['set-cookie', 'wide=1; domain=.app.localhost'],
        ['set-cookie', 'same=1; Domain=a.app.localhost'],
        ['x-vercel-error', 'MADE_UP'],
        ['x-vercel-oidc-token', 'echoed'],
        ['cache-control', 'public, max-age=60, s-maxage=600'],
        ['cdn-cache-control', 'max-age=600'],
        ['x-accel-expires', '600'],
        ['edge-control', 'max-age=600'],
        ['x-litespeed-cache-control', 'public,max-age=600'],
        ['connection', 'x-hop'],
        ['x-hop', '1'],
      ] as never);
      response.end('ok');
      return;
    case '/big': {
      const size = Number(new URL(request.url ?? '', 'http://x').searchParams.get('size'));
      response.writeHead(200, { 'content-length': size });
      writeBig(response, size);
      return;
    }
    case '/sum': {
      const hash = createHash('sha256');
      let size = 0;
      request.on('data', (chunk: Buffer) => {
        size += chunk.length;
        hash.update(chunk);
      });
      request.on('end', () => response.end(JSON.stringify({ size, sha256: hash.digest('hex') })));
      return;
    }
    case '/early':
      response.writeHead(413, { connection: 'close' });
      response.end('too much');
      return;
    case '/cut':
      response.writeHead(200, { 'content-length': 1000 });
      response.write('half');
      setTimeout(() => request.socket.destroy(), 50);
      return;
    case '/once-closed':
      // Like a connection that was idle for too long.
      if (received.filter(({ url }) => url === entry.url).length === 1) request.socket.destroy();
      else response.end('asked again');
      return;
    case '/broken':
      request.socket.end('this is not HTTP\r\n\r\n');
      return;
    case '/not-modified':
      response.writeHead(304, { etag: '"x"' });
      response.end();
      return;
    default:
      request.setEncoding('latin1');
      request.on('data', (text: string) => {
        entry.body += text;
      });
      request.on('end', () => {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(entry));
      });
  }
}

function writeBig(response: ServerResponse, size: number): void {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  let left = size;
  const more = () => {
    while (left > 0) {
      const piece = left >= chunk.length ? chunk : chunk.subarray(0, left);
      left -= piece.length;
      if (!response.write(piece)) {
        response.once('drain', more);
        return;
      }
    }
    response.end();
  };
  more();
}

function pairsOf(request: IncomingMessage): [string, string][] {
  const { rawHeaders } = request;
  return Array.from({ length: rawHeaders.length / 2 }, (_, index) => [
    rawHeaders[index * 2] ?? '',
    rawHeaders[index * 2 + 1] ?? '',
  ]);
}

export type RawAnswer = { status: number; text: string; closed: boolean };

/** Sends bytes as they are, and reads until the connection ends or nothing came for a while. */
export function sendRaw(port: number, bytes: string | Buffer, quietMilliseconds = 400): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    let timer: NodeJS.Timeout | undefined;
    let done = false;
    const finish = (closed: boolean) => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      socket.destroy();
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text, closed });
    };
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => finish(false), quietMilliseconds);
    };
    socket.on('connect', () => {
      socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
      timer = setTimeout(() => finish(false), 5_000);
    });
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      wait();
    });
    socket.on('error', () => finish(true));
    socket.on('close', () => finish(true));
  });
}
