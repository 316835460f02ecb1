import { createServer } from 'node:http';
import { Pool } from 'undici';

// The comparison: the barest proxy that Node can be. It streams both ways, and looks at nothing.
const [port = '', upstream = ''] = process.argv.slice(2);
const pool = new Pool(upstream, { connections: 128 });
const server = createServer((request, response) => {
  const { method = 'GET', url = '/', headers } = request;
  const { host: _, connection: __, ...rest } = headers;
  const body = method === 'GET' || method === 'HEAD' ? null : request;
  pool.request({ method, path: url, headers: rest, body }).then(
    (answer) => {
      answer.body.on('error', () => response.destroy());
      // The load has gone home: nobody reads this answer.
      if (response.destroyed) return void answer.body.destroy();
      response.writeHead(answer.statusCode, answer.headers);
      answer.body.pipe(response);
    },
    () => response.writeHead(502).end(),
  );
});
server.on('upgrade', (request, socket) => {
  socket.on('error', () => socket.destroy());
  pool.upgrade({ path: request.url ?? '/', protocol: 'websocket' }).then(
    ({ socket: other }) => {
      other.on('error', () => socket.destroy());
      socket.on('close', () => other.destroy());
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      socket.pipe(other).pipe(socket);
    },
    () => socket.destroy(),
  );
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log('listening');
});
process.once('SIGTERM', () => process.exit(0));
