import { createServer } from 'node:http';

// A deployment that answers 1 KiB, whatever it is asked.
const [port = ''] = process.argv.slice(2);
const body = 'x'.repeat(1024);
const headers = { 'content-type': 'text/plain', 'content-length': body.length };
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, headers).end(body);
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log('listening');
});
process.once('SIGTERM', () => process.exit(0));
