import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
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
export function startServer(
  parameters: readonly string[],
  variables: Readonly<Record<string, string>>,
  isReady: (line: string) => boolean,
): Promise<ServerProcess> {
  return startProgram(process.execPath, parameters, variables, isReady);
}

/** The same with any program. */
export async function startProgram(
  program: string,
  parameters: readonly string[],
  variables: Readonly<Record<string, string>>,
  isReady: (line: string) => boolean,
): Promise<ServerProcess> {
  let complaints = '';
  const child = spawn(program, parameters, {
    cwd: root,
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A figure that fails leaves nothing running.
  process.once('exit', () => child.kill('SIGTERM'));
  child.once('error', (error) => {
    complaints += error.message;
    child.stdout.destroy();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = (complaints + chunk.toString()).slice(-4_000);
  });
  const stop = async () => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
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
  throw new Error(`${program} ${parameters.join(' ')} ended before it listened:\n${complaints}`);
}

/** Keeps a process, all its threads, and whatever it starts, to these cores (`taskset`, as in `0` or `1-3`). */
export function keepToCores(pid: number | undefined, cores: string): void {
  execFileSync('taskset', ['-a', '-c', '-p', cores, String(pid)], { stdio: 'ignore' });
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

/** Begins the peak of a process (`VmHWM`) anew, where Linux lets us. */
export function forgetPeak(child: ChildProcess): void {
  try {
    writeFileSync(`/proc/${child.pid}/clear_refs`, '5');
  } catch {
    // Then it is the most that it ever had, which is more.
  }
}
