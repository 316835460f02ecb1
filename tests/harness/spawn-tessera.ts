import { fork, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { findFreePort } from './free-port.ts';
import type { ProcessAnswer, ProcessOrder } from './tessera-process.ts';
import { createTesseraEnvironment, type BaseUrls } from './tessera-environment.ts';
import { createTestDatabase, type DatabaseKind, type TestDatabase } from './test-databases.ts';

export type SpawnedTessera = {
  urls: BaseUrls;
  setUpLink: string | undefined;
  /** The ports of the processes: each serves the same addresses (`send` takes the port to connect to). */
  ports: readonly number[];
  database: TestDatabase;
  /** What the processes are told: for another process on the same database. */
  variables: Readonly<Record<string, string>>;
  /** Moves the time of all processes forward. */
  advance(milliseconds: number): Promise<void>;
  /** Kills all processes as a crash would (SIGKILL), and starts them anew. Their clocks are the machine's again. */
  crash(): Promise<void>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

const startLimitMs = 60_000;

/**
 * Several processes that serve the same addresses on one database. `careless` makes their writes ignore whether a
 * statement found what it was meant for, which a test must notice.
 */
export async function spawnTessera(
  kind: DatabaseKind,
  { processes = 4, careless = false }: { processes?: number; careless?: boolean } = {},
): Promise<SpawnedTessera> {
  const database = await createTestDatabase(kind);
  const environment = await createTesseraEnvironment(database);
  const children: ChildProcess[] = [];
  const ports: number[] = [];
  let setUpLink: string | undefined;

  // All at once, and at first on a database that none of them has seen: they have to agree about its form and keys.
  async function startAll(): Promise<string | undefined> {
    const answers = await Promise.all(
      ports.map(async (port) => {
        const child = fork(join(import.meta.dirname, 'tessera-process.ts'), {
          env: {
            ...withoutOurs(process.env),
            ...environment.variables,
            TESSERA_LISTEN: `127.0.0.1:${port}`,
            TESSERA_OPERATIONS_LISTEN: `127.0.0.1:${await findFreePort()}`,
            ...(careless ? { CARELESS: '1' } : {}),
          },
          execArgv: [],
          stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        });
        children.push(child);
        return answerOf(child);
      }),
    );
    return answers.map((answer) => ('ready' in answer ? answer.ready.setUpLink : undefined)).find(Boolean);
  }

  async function close(): Promise<void> {
    await Promise.all(children.map((child) => end(child)));
    rmSync(environment.folder, { recursive: true, force: true });
    await database.remove();
  }

  try {
    for (let index = 0; index < processes; index++) {
      ports.push(index === 0 ? environment.port : await findFreePort());
    }
    setUpLink = await startAll();
  } catch (error) {
    await close();
    throw error;
  }

  return {
    urls: environment.urls,
    setUpLink,
    ports,
    database,
    variables: environment.variables,
    async advance(milliseconds) {
      await Promise.all(
        children.map(async (child) => {
          const answered = answerOf(child);
          child.send({ advance: milliseconds } satisfies ProcessOrder);
          await answered;
        }),
      );
    },
    async crash() {
      await Promise.all(children.splice(0).map((child) => end(child, 'SIGKILL')));
      await startAll();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function answerOf(child: ChildProcess): Promise<ProcessAnswer> {
  let errors = '';
  const hear = (chunk: Buffer): void => {
    errors = (errors + chunk.toString()).slice(-4_000);
  };
  child.stderr?.on('data', hear);
  return new Promise<ProcessAnswer>((resolve, reject) => {
    const limit = setTimeout(
      () => reject(new Error(`a process of Tessera was silent: ${errors}`)),
      startLimitMs,
    );
    const fail = (status: number | null): void => {
      clearTimeout(limit);
      reject(new Error(`a process of Tessera ended with ${status}: ${errors}`));
    };
    child.once('close', fail);
    child.once('message', (answer) => {
      clearTimeout(limit);
      child.off('close', fail);
      child.stderr?.off('data', hear);
      // Unread, a full pipe would stop the process.
      child.stderr?.resume();
      resolve(answer as ProcessAnswer);
    });
  });
}

async function end(child: ChildProcess, signal?: 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  if (signal !== undefined) child.kill(signal);
  else if (child.connected) child.send({ stop: true } satisfies ProcessOrder);
  const limit = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await closed;
  clearTimeout(limit);
}

function withoutOurs(variables: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const rest = { ...variables };
  for (const name of Object.keys(rest)) if (name.startsWith('TESSERA_')) delete rest[name];
  return rest;
}
