import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** A server under load, in a process of its own. */
export type ServerProcess = {
  child: ChildProcess;
  /** Its standard output up to and with the first line that `isReady` accepts. */
  lines: readonly string[];
  stop(): Promise<void>;
};

/**
 * Runs this Node with these arguments, from the root of the repository, and waits for the line on standard output that says that it listens.
 * Rejects with what it wrote to standard error when it ends before that.
 */
export async function startServer(
  parameters: readonly string[],
  variables: Readonly<Record<string, string>>,
  isReady: (line: string) => boolean,
): Promise<ServerProcess> {
  const child = spawn(process.execPath, parameters, {
    cwd: root,
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A figure that fails leaves nothing running.
  process.once('exit', () => child.kill('SIGTERM'));
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = (complaints + chunk.toString()).slice(-4_000);
  });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  };
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (isReady(line)) {
      child.stdout.resume();
      return { child, lines, stop };
    }
  }
  await stop();
  throw new Error(`node ${parameters.join(' ')} ended before it listened:\n${complaints}`);
}

/** The most memory that a process ever had (`VmHWM`), or what it has now (`VmRSS`), in MiB. Not a number off Linux. */
export function memoryMb(child: ChildProcess, what: 'VmHWM' | 'VmRSS'): number {
  try {
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    const kilobytes = new RegExp(`^${what}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
    return Number(kilobytes) / 1024;
  } catch {
    return Number.NaN;
  }
}
