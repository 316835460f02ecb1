import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../tests/harness/free-port.ts';
import { send } from '../tests/harness/send.ts';
import { startProgram, startServer, type ServerProcess } from './process.ts';
import type { Client } from './client.ts';
import type { Measurement } from './figure.ts';

export type RunningServer = { server: ServerProcess; url: string };

/** What the comparison gives of a sign-in that nobody has to click through. */
export type TheirTokens = { accessToken: string; refreshToken: string };

/** `oidc-provider` with its memory store. */
export async function startOidcProvider(): Promise<
  RunningServer & { client: Client; signIn: (scope: string) => Promise<TheirTokens> }
> {
  const port = await findFreePort();
  const client = { id: 'bench', secret: randomBytes(32).toString('base64url') };
  const server = await startServer(
    ['bench/oidc-provider/main.ts', `${port}`, client.id, client.secret],
    {},
    (line) => line === 'listening',
  );
  const url = `http://localhost:${port}`;
  const signIn = async (scope: string) => {
    const answer = await send(`${url}/bench/sign-in?${new URLSearchParams({ scope })}`);
    return answer.json() as TheirTokens;
  };
  return { server, url, client, signIn };
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

/** A deployment's service: 1 KiB, whatever it is asked. */
export async function startUpstream(): Promise<RunningServer> {
  const port = await findFreePort();
  const server = await startServer(['bench/upstream/main.ts', `${port}`], {}, (line) => line === 'listening');
  return { server, url: `http://127.0.0.1:${port}` };
}

/** The barest proxy before an upstream: `node:http` and an undici `Pool`. */
export async function startBareProxy(upstream: string): Promise<RunningServer> {
  const port = await findFreePort();
  const server = await startServer(
    ['bench/bare-proxy/main.ts', `${port}`, upstream],
    {},
    (line) => line === 'listening',
  );
  return { server, url: `http://127.0.0.1:${port}` };
}

/** Caddy as a proxy before an upstream, and nothing else. Rejects where it is not installed. */
export async function startCaddy(upstream: string): Promise<RunningServer> {
  const port = await findFreePort();
  const folder = mkdtempSync(join(tmpdir(), 'tessera-caddy-'));
  const file = join(folder, 'Caddyfile');
  writeFileSync(
    file,
    `{
      admin off
      auto_https off
      log default {
        output stdout
      }
    }
    http://127.0.0.1:${port} {
      bind 127.0.0.1
      reverse_proxy ${upstream}
    }`,
  );
  const server = await startProgram(
    'caddy',
    ['run', '--adapter', 'caddyfile', '--config', file],
    // One core is what it has: it need not find out by itself.
    { HOME: folder, GOMAXPROCS: '1' },
    (line) => line.includes('serving initial configuration'),
  );
  const stop = async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { server: { ...server, stop }, url: `http://127.0.0.1:${port}` };
}

/** The RSA-2048 signatures that the machine's cores can make. */
export async function startSignatures(): Promise<{
  server: ServerProcess;
  measure: (seconds: number) => Promise<Measurement>;
}> {
  const port = await findFreePort();
  const server = await startServer(
    ['bench/signatures/main.ts', `${port}`],
    {},
    (line) => line === 'listening',
  );
  const measure = async (seconds: number) =>
    (await send(`http://localhost:${port}/?seconds=${seconds}`)).json() as Measurement;
  return { server, measure };
}
