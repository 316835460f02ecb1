import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Running } from '../../examples/listen.ts';

const folder = join(import.meta.dirname, '..', '..', 'examples', 'nextjs');
const next = join(folder, 'node_modules', 'next', 'dist', 'bin', 'next');
const startLimitMs = 60_000;

/** Everything but what vitest and npm say about themselves, which Next.js and a second npm would take as theirs. */
function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) =>
      !/^(?:npm_(?:package|lifecycle|config_local_prefix|command)|VITEST|TEST$|NODE_ENV$)/.test(name),
  );
  return {
    ...Object.fromEntries(inherited),
    NODE_ENV: 'production',
    NEXT_TELEMETRY_DISABLED: '1',
    ...more,
  };
}

/**
 * Installs the packages of the example, which has a lockfile of its own so that nobody else has to fetch Next.js.
 * Answers why not when they are missing and the registry cannot be reached.
 */
export async function installNextApp(): Promise<{ problem?: string }> {
  const wanted = createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .digest('hex');
  const stamp = join(folder, 'node_modules', '.tessera-setup');
  try {
    if (readFileSync(stamp, 'utf8') === wanted) return {};
  } catch {
    // Not installed yet.
  }
  const options = ['--prefix', folder, 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env['npm_execpath'];
  const [command, args] = npm ? [process.execPath, [npm, ...options]] : ['npm', options];
  const { status, words } = await run(command, args);
  if (status === 0) {
    writeFileSync(stamp, wanted);
    return {};
  }
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT/.test(words)) {
    return {
      problem: 'the packages of examples/nextjs are not installed and the registry cannot be reached',
    };
  }
  throw new Error(`npm ci failed in ${folder}: ${words}`);
}

/** Builds the example as for production; that checks its types too. */
export async function buildNextApp(): Promise<void> {
  const { status, words } = await run(process.execPath, [next, 'build']);
  if (status !== 0) throw new Error(`next build failed: ${words}`);
}

/** Without blocking: the instance that the test asks runs in this process. */
async function run(
  command: string,
  args: readonly string[],
): Promise<{ status: number | null; words: string }> {
  const child = spawn(command, args, { cwd: folder, env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
  let words = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-8_000);
    });
  }
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, words };
}

export async function startNextApp(settings: {
  port: number;
  issuer: string;
  clientId: string;
  clientSecret: string;
}): Promise<Running> {
  const url = `http://localhost:${settings.port}`;
  const child = spawn(process.execPath, [next, 'start', '--port', String(settings.port)], {
    cwd: folder,
    env: environment({
      APP_URL: url,
      ISSUER: settings.issuer,
      CLIENT_ID: settings.clientId,
      CLIENT_SECRET: settings.clientSecret,
      SESSION_SECRET: 'a secret of the app, long enough for a test',
    }),
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, so that nothing of it can be left behind.
    detached: true,
  });
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-4_000);
  });
  const close = async (): Promise<void> => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    process.kill(-child.pid, 'SIGTERM');
    await closed;
  };
  try {
    await new Promise<void>((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`next start was not ready: ${words}`)), startLimitMs);
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (!line.includes('Ready')) return;
        clearTimeout(limit);
        resolve();
      });
      child.once('error', reject);
      child.once('close', () => {
        clearTimeout(limit);
        reject(new Error(`next start ended: ${words}`));
      });
    });
  } catch (error) {
    await close();
    throw error;
  }
  return { url, close };
}
