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
server.listen(Number(port), '127.0.0.1', () => {
  console.log('listening');
});
process.once('SIGTERM', () => process.exit(0));
