import { createServer } from 'node:http';
import { answeredFrame, sentFrame } from '../stream-load/frames.ts';

// A deployment that answers 1 KiB, whatever it is asked; with ?bytes= so many, and what is sent is read. A WebSocket
// gets a frame back for each that it sends.
const [port = ''] = process.argv.slice(2);
const body = 'x'.repeat(1024);
const headers = { 'content-type': 'text/plain', 'content-length': body.length };
const chunk = Buffer.alloc(64 * 1024, 'x');
const server = createServer((request, response) => {
  const bytes = /^\/\?bytes=(\d+)$/.exec(request.url ?? '')?.[1];
  if (bytes !== undefined) {
    let left = Number(bytes);
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': left });
    const send = (): void => {
      while (left > 0) {
        const piece = left < chunk.length ? chunk.subarray(0, left) : chunk;
        left -= piece.length;
        if (!response.write(piece)) return void response.once('drain', send);
      }
      response.end();
    };
    send();
    return;
  }
  request.resume();
  if (request.method === 'GET') response.writeHead(200, headers).end(body);
  else request.once('end', () => response.writeHead(200, headers).end(body));
});
server.on('upgrade', (_request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  let received = 0;
  socket.on('data', (data: Buffer) => {
    received += data.length;
    for (; received >= sentFrame.length; received -= sentFrame.length) socket.write(answeredFrame);
  });
  socket.on('error', () => socket.destroy());
  socket.on('end', () => socket.end());
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log('listening');
});
process.once('SIGTERM', () => process.exit(0));
