import { createServer } from 'node:http';
import { listen, type Running } from '../../examples/listen.ts';

/** What arrived at the upstream, as it stood on the wire. */
export type Echo = {
  method: string;
  url: string;
  /** Names and values in turn, in their own spelling. */
  rawHeaders: string[];
  /** The same by lower-case name; several of one name are joined by Node. */
  headers: Record<string, string>;
  trailers: Record<string, string>;
  body: string;
};

/** An upstream that answers with what it received. */
export async function startEchoUpstream(): Promise<Running> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const echo = {
        method: request.method,
        url: request.url,
        rawHeaders: request.rawHeaders,
        headers: request.headers,
        trailers: request.trailers,
        body: Buffer.concat(chunks).toString(),
      };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(echo));
    });
  });
  return listen(server, 0);
}
