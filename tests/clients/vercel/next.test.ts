import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Running } from '../../../examples/listen.ts';
import { startEchoUpstream } from '../../harness/echo-upstream.ts';
import { findFreePort } from '../../harness/free-port.ts';
import { passPassport } from '../../harness/passport-world.ts';
import { send } from '../../harness/send.ts';
import { createVisitor } from '../../harness/visitor.ts';
import { buildPackage, run, runNpm } from '../../packages/packed.ts';
import { createVercelWorld, deploymentDomain, urls, type VercelWorld } from './vercel-world.ts';

const url = `https://next.${deploymentDomain}`;

let world: VercelWorld;
let upstream: Running;
let folder: string;
let child: ChildProcess | undefined;
beforeAll(async () => {
  upstream = await startEchoUpstream();
  world = await createVercelWorld(upstream.url, ['next']);
  folder = mkdtempSync(join(tmpdir(), 'tessera-next-'));
}, 120_000);
afterAll(async () => {
  if (child !== undefined && child.exitCode === null) {
    const closed = once(child, 'close');
    child.kill();
    await closed;
  }
  await world?.close();
  await upstream?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** Installs what the deployment needs; answers why not when the registry cannot be reached. */
async function install(): Promise<string | undefined> {
  cpSync(join(import.meta.dirname, 'next-deployment'), folder, { recursive: true });
  try {
    await runNpm(folder, ['ci', '--no-audit', '--no-fund']);
  } catch (error) {
    if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT/.test(String(error))) {
      return 'Next.js is not installed and the registry cannot be reached';
    }
    throw error;
  }
  mkdirSync(join(folder, 'node_modules', '@tessera'));
  for (const name of ['oidc', 'passport']) {
    await buildPackage(name, join(folder, 'node_modules', '@tessera', name));
  }
  return undefined;
}

const next = (...args: string[]) => [join(folder, 'node_modules', 'next', 'dist', 'bin', 'next'), ...args];
const production = { NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' };

async function startNext(): Promise<string> {
  const port = await findFreePort();
  child = spawn(process.execPath, next('start', '--port', String(port)), {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      ...production,
      ...world.hosts.environment,
      NODE_OPTIONS: world.hosts.nodeArguments.join(' '),
      VERCEL_ENV: 'production',
      VERCEL_PROJECT_ID: world.project.id,
      PASSPORT_ISSUER: `${urls.passport}/acme`,
      PASSPORT_AUDIENCE: `${urls.origin}/acme/site/production`,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  for await (const line of lines) if (line.includes('Ready')) return `http://127.0.0.1:${port}`;
  throw new Error('next start ended');
}

test(
  'a Next.js app reads who is visiting and which workload it is',
  { timeout: 600_000 },
  async (context) => {
    const problem = await install();
    context.skip(problem !== undefined, problem);
    const built = await run(folder, next('build'), production);
    expect(built.status, built.stdout + built.stderr).toBe(0);
    const direct = await startNext();
    await world.call('deployments.create', {
      query: { teamId: world.team.id },
      body: {
        projectId: world.project.id,
        environment: 'production',
        hosts: [{ host: new URL(url).hostname, kind: 'alias' }],
        upstream: direct,
      },
    });

    const page = await passPassport(createVisitor(), `${url}/`);
    expect(page.json()).toMatchObject({
      identity: { externalSubject: 'staff|grace', verified: true, tokenSource: 'header' },
      ours: { externalSub: 'staff|grace', isTest: false },
      same: true,
    });
    const { workload } = page.json() as { workload: string };
    expect(decodeJwt(workload).sub).toBe('owner:acme:project:site:environment:production');

    const around = await send(direct, { headers: { 'x-vercel-oidc-passport-token': 'a.b.c' } });
    expect(around.json()).toMatchObject({
      identity: { error: expect.any(String) as string },
      ours: { error: expect.stringContaining('PassportError') as string },
    });
    expect((await send(direct)).json()).toMatchObject({ identity: null, ours: null });
  },
);
