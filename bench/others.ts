import { randomBytes } from 'node:crypto';
import { findFreePort } from '../tests/harness/free-port.ts';
import { startServer, type ServerProcess } from './process.ts';
import type { Client } from './client.ts';

export type RunningServer = { server: ServerProcess; url: string };

/** `oidc-provider` with its memory store. */
export async function startOidcProvider(): Promise<RunningServer & { client: Client }> {
  const port = await findFreePort();
  const client = { id: 'bench', secret: randomBytes(32).toString('base64url') };
  const server = await startServer(
    ['bench/oidc-provider/main.ts', `${port}`, client.id, client.secret],
    {},
    (line) => line === 'listening',
  );
  return { server, url: `http://localhost:${port}`, client };
}

/** A bare `node:http` server that reads a form and answers JSON. */
export async function startNodeHttp(): Promise<RunningServer> {
  const port = await findFreePort();
  const server = await startServer(
    ['bench/node-http/main.ts', `${port}`],
    {},
    (line) => line === 'listening',
  );
  return { server, url: `http://localhost:${port}` };
}
