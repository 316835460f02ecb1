import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '..', '..');
const startLimitMs = 60_000;
const stopLimitMs = 10_000;

export type Programs = {
  /**
   * Starts a program of this repository with Node and waits for the line on its stdout that `until` matches;
   * answers that line's first group. Everything it says goes to a file in the log folder.
   */
  start(program: {
    name: string;
    file: string;
    args?: readonly string[];
    environment: Readonly<Record<string, string>>;
    until: RegExp;
  }): Promise<string>;
  /** Ends all of them, the last started first. */
  stop(): Promise<void>;
};

/** `onEnd` hears of a program that ends by itself, which none should. */
export function createPrograms(logFolder: string, onEnd: (problem: Error) => void): Programs {
  const running: ChildProcess[] = [];
  let stopping = false;

  return {
    async start({ name, file, args = [], environment, until }) {
      const log = createWriteStream(join(logFolder, `${name}.log`));
      const child = spawn(process.execPath, [join(root, file), ...args], {
        // What is set for another instance of Tessera is not meant for this one.
        env: { ...withoutOurs(process.env), ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      running.push(child);
      child.stderr.pipe(log, { end: false });
      child.stdout.pipe(log, { end: false });
      let lastWords = '';
      child.stderr.on('data', (chunk: Buffer) => {
        lastWords = (lastWords + chunk.toString()).slice(-2_000);
      });

      return new Promise<string>((resolve, reject) => {
        const limit = setTimeout(() => {
          reject(new Error(`${name} was not ready after ${startLimitMs} ms: ${lastWords}`));
        }, startLimitMs);
        createInterface({ input: child.stdout }).on('line', (line) => {
          const found = until.exec(line);
          if (!found) return;
          clearTimeout(limit);
          resolve(found[1] ?? line);
        });
        child.once('error', reject);
        child.once('close', (status, signal) => {
          clearTimeout(limit);
          running.splice(running.indexOf(child), 1);
          log.end();
          const problem = new Error(
            `${name} (${basename(file)}) ended with ${status ?? signal}: ${lastWords}`,
          );
          reject(problem);
          // A Ctrl-C reaches every program at once; the demo must hear of it first.
          setTimeout(() => stopping || onEnd(problem), 200);
        });
      });
    },
    async stop() {
      stopping = true;
      for (const child of running.slice().reverse()) await end(child);
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  child.kill('SIGTERM');
  const limit = setTimeout(() => child.kill('SIGKILL'), stopLimitMs);
  await closed;
  clearTimeout(limit);
}

function withoutOurs(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const rest = { ...environment };
  for (const name of Object.keys(rest)) if (name.startsWith('TESSERA_')) delete rest[name];
  return rest;
}

/** Whether somebody listens on this port of loopback already. */
export async function isPortTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(true));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(false)));
  });
}

/** The next free ports from `first` on. */
export async function findPorts(first: number, count: number): Promise<number[]> {
  const free: number[] = [];
  for (let port = first; free.length < count && port < 65_536; port++) {
    if (!(await isPortTaken(port))) free.push(port);
  }
  if (free.length < count)
    throw new Error(`there are no ${count} free ports from ${first} on: choose another --port`);
  return free;
}
