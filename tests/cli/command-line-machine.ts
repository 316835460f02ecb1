import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { passSignInPages, type Account } from '../harness/sign-in.ts';
import { createVisitor } from '../harness/visitor.ts';
import { root, run, type Finished } from '../packages/packed.ts';

const program = join(root, 'packages', 'cli', 'src', 'main.ts');

type Started = { finished: Promise<Finished>; kill(signal: NodeJS.Signals): void };
type BegunLogin = { shown: Promise<RegExpExecArray>; finished: Promise<Finished> };

/** A machine with nothing but the command line on it. */
export type CommandLineMachine = {
  work: string;
  loginFolder: string;
  environment: Record<string, string>;
  /** Runs a command to its end. */
  run(...args: string[]): Promise<Finished>;
  runIn(folder: string, ...args: string[]): Promise<Finished>;
  /** Runs a command with more in its environment. */
  runWith(more: Readonly<Record<string, string>>, ...args: string[]): Promise<Finished>;
  /** Starts a command that may be ended before it ends by itself. */
  start(...args: string[]): Started;
  startWith(more: Readonly<Record<string, string>>, ...args: string[]): Started;
  /** Starts a login and gives the address that it shows; `finished` when the command has ended. */
  beginLogin(origin: string): Promise<{ address: URL; finished: Promise<Finished> }>;
  /** Starts a login on a terminal of its own (`script`), and gives the address that it shows. */
  beginLoginOnTerminal(
    origin: string,
    args: readonly string[],
    more: Readonly<Record<string, string>>,
  ): { shown: Promise<string>; end(): Promise<void> };
  /** The same by the device flow: what it showed is the address and the code. */
  beginDeviceLogin(origin: string): BegunLogin;
  /** The whole login, as a person goes through it. */
  logIn(origin: string, account: Account): Promise<Finished>;
  remove(): void;
};

export function createCommandLineMachine(
  more: Readonly<Record<string, string>> = {},
  nodeArguments: readonly string[] = [],
): CommandLineMachine {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-cli-'));
  const [work, data] = [join(folder, 'work'), join(folder, 'data')];
  mkdirSync(work);
  const environment = { HOME: folder, XDG_DATA_HOME: data, ...more };
  function startLogin(pattern: RegExp, args: readonly string[]): BegunLogin {
    const child = spawn(process.execPath, [...nodeArguments, program, 'login', ...args], {
      cwd: work,
      env: { PATH: process.env['PATH'], ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const read = { stdout: '', stderr: '' };
    const { promise: shown, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        read[name] += text;
        const found = pattern.exec(read.stderr);
        if (found !== null) resolve(found);
      });
    }
    const finished = once(child, 'close').then(([status]) => {
      reject(new Error(`the login ended before it showed an address: ${read.stderr}`));
      return { status: status as number | null, ...read };
    });
    return { shown, finished };
  }
  const machine: CommandLineMachine = {
    work,
    loginFolder: join(data, 'com.vercel.cli'),
    environment,
    run: (...args) => machine.runIn(work, ...args),
    runIn: (from, ...args) => run(from, [...nodeArguments, program, ...args], environment),
    runWith: (more, ...args) => run(work, [...nodeArguments, program, ...args], { ...environment, ...more }),
    start: (...args) => machine.startWith({}, ...args),
    startWith(more, ...args) {
      const child = spawn(process.execPath, [...nodeArguments, program, ...args], {
        cwd: work,
        env: { PATH: process.env['PATH'], ...environment, ...more },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const read = { stdout: '', stderr: '' };
      for (const name of ['stdout', 'stderr'] as const) {
        child[name].setEncoding('utf8').on('data', (text: string) => (read[name] += text));
      }
      const finished = once(child, 'close').then(([status]) => ({
        status: status as number | null,
        ...read,
      }));
      return { finished, kill: (signal) => void child.kill(signal) };
    },
    async beginLogin(origin) {
      const { shown, finished } = startLogin(/^(https?:\S+)$/m, ['--url', origin]);
      const [, address = ''] = await shown;
      return { address: new URL(address), finished };
    },
    beginLoginOnTerminal(origin, args, more) {
      const line = [process.execPath, ...nodeArguments, program, 'login', '--url', origin, ...args].join(' ');
      const child = spawn('script', ['-qec', line, '/dev/null'], {
        cwd: work,
        env: { PATH: process.env['PATH'], ...environment, ...more },
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const { promise: shown, resolve, reject } = Promise.withResolvers<string>();
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        const found = /^(https?:\S+)\r?$/m.exec(text);
        if (found?.[1] !== undefined) resolve(found[1]);
      });
      const closed = once(child, 'close').then(() => reject(new Error(`no address was shown: ${text}`)));
      return {
        shown,
        async end() {
          // As somebody presses Ctrl-C.
          child.stdin.write('\x03');
          await closed;
        },
      };
    },
    beginDeviceLogin: (origin) =>
      startLogin(/^Open (\S+) and enter the code (\S+)$/m, ['--device', '--url', origin]),
    async logIn(origin, account) {
      const { address, finished } = await machine.beginLogin(origin);
      const answer = await passSignInPages(createVisitor(), address, account);
      await fetch(answer);
      return finished;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
  return machine;
}
