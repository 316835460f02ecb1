import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandError } from '../errors.ts';

type Run = {
  url: URL;
  header: readonly [name: string, value: string] | undefined;
  args: readonly string[];
};

/** Runs the real curl for one address and gives its exit status. The header is in no list of processes. */
export async function runCurl({ url, header, args }: Run): Promise<number> {
  const config = configOf(url, header);
  const file = process.platform === 'win32' ? undefined : openUnnamed(config);
  // curl's own account of the request has its headers in it.
  const isTelling = args.some((arg) => arg === '--verbose' || /^-[^-]*v/.test(arg));
  const secret = header?.[1];
  const child = spawn('curl', ['-q', '--config', file === undefined ? '-' : '/dev/fd/3', ...args], {
    stdio: [
      file === undefined ? 'pipe' : 'inherit',
      'inherit',
      isTelling && secret !== undefined ? 'pipe' : 'inherit',
      ...(file === undefined ? [] : [file]),
    ],
  });
  if (file !== undefined) closeSync(file);
  child.stdin?.end(config);
  if (secret !== undefined) hideIn(child, secret);
  return waitFor(child);
}

/** What curl reads as its configuration: the address, the token, and what keeps the one with the other. */
function configOf(url: URL, header: Run['header']): string {
  const lines = [
    ['url', url.href],
    ['proto', `=${url.protocol.slice(0, -1)}`],
    // Plain http is for this machine, which no proxy reaches for us.
    ...(url.protocol === 'http:' ? [['noproxy', '*']] : []),
    ...(header === undefined ? [] : [['header', `${header[0]}: ${header[1]}`]]),
  ];
  const quoted = lines.map(([name, value = '']) => `${name} = "${value.replaceAll(/[\\"]/g, '\\$&')}"`);
  return `${['globoff', 'no-location', ...quoted].join('\n')}\n`;
}

/** A file that has lost its name before anything is written to it: nobody else can open it, and it ends by itself. */
function openUnnamed(content: string): number {
  const path = join(tmpdir(), `tessera-cli-${randomBytes(16).toString('hex')}`);
  const file = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  writeSync(file, content, 0);
  return file;
}

/** Hands on what curl says, line by line, without the secret. */
function hideIn(child: ChildProcess, secret: string): void {
  let held = '';
  const handOn = (text: string): void => void process.stderr.write(text.replaceAll(secret, '(hidden)'));
  child.stderr?.setEncoding('utf8');
  child.stderr?.on('data', (text: string) => {
    const lines = held + text;
    const end = lines.lastIndexOf('\n') + 1;
    handOn(lines.slice(0, end));
    held = lines.slice(end);
  });
  child.stderr?.once('end', () => handOn(held));
}

async function waitFor(child: ChildProcess): Promise<number> {
  // Ctrl-C reaches curl too; what was made for the request is to be taken back after it.
  const handOn = (signal: NodeJS.Signals): void => void child.kill(signal);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, handOn);
  try {
    const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    return status ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  } catch (cause) {
    throw new CommandError(
      'curl_missing',
      'curl could not be started.',
      'Install curl; it has to be in the path.',
      { cause },
    );
  } finally {
    for (const signal of signals) process.off(signal, handOn);
  }
}
