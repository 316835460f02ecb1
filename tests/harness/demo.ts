import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findFreePort } from './free-port.ts';
import type { TestDatabase } from './test-databases.ts';

/** What `npm run demo -- --json` prints. */
export type DemoDocument = {
  ready: true;
  origin: string;
  api: string;
  oidc: string;
  passport: string;
  connect: string;
  admin: { email: string; password: string };
  user: { email: string; password: string; sub: string };
  apiToken: string;
  team: { id: string; slug: string };
  project: { id: string; name: string };
  app: { client_id: string; client_secret: string; redirect_uri: string; url: string };
  deployment: { id: string; url: string; environment: string };
  identityProvider: { issuer: string; username: string; password: string; connector_id: string };
  verifyingApi: { url: string };
  mail: string | null;
};

export type RunningDemo = { demo: DemoDocument; stop(): Promise<void> };

const root = join(import.meta.dirname, '..', '..');
const startLimitMs = 100_000;

/** Runs `npm run demo -- --json` as somebody does who has just cloned the repository. */
export async function startDemo(database: TestDatabase): Promise<RunningDemo> {
  const data = mkdtempSync(join(tmpdir(), 'tessera-demo-'));
  const port = await findFreePort();
  const child = spawn(
    'npm',
    ['run', 'demo', '--', '--json', '--port', String(port), '--data', data, '--database', database.url],
    // A process group of its own, so that nothing of it can be left behind.
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  const stop = async (): Promise<void> => {
    await endGroup(child);
    rmSync(data, { recursive: true, force: true });
  };
  try {
    return { demo: await readDocument(child), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function readDocument(child: ChildProcess): Promise<DemoDocument> {
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4_000);
  });
  return new Promise<DemoDocument>((resolve, reject) => {
    const limit = setTimeout(
      () => reject(new Error(`the demo was not ready in time: ${errors}`)),
      startLimitMs,
    );
    if (child.stdout) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (!line.startsWith('{')) return;
        clearTimeout(limit);
        resolve(JSON.parse(line) as DemoDocument);
      });
    }
    child.once('error', reject);
    child.once('close', (status) => {
      clearTimeout(limit);
      reject(new Error(`the demo ended with ${status}: ${errors}`));
    });
  });
}

async function endGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  process.kill(-child.pid, 'SIGTERM');
  const limit = setTimeout(() => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, 15_000);
  await closed;
  clearTimeout(limit);
}
