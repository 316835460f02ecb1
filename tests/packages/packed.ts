import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..', '..');

export type Finished = { status: number | null; stdout: string; stderr: string };

/** Runs a program of Node in a folder, without blocking: what it asks may run in this process. */
export function run(
  folder: string,
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  return start(folder, process.execPath, args, more);
}

async function start(
  folder: string,
  command: string,
  args: readonly string[],
  more: Readonly<Record<string, string>>,
): Promise<Finished> {
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...plainEnvironment(), ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const read = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (read[name] += text));
  }
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, ...read };
}

/** Nothing of what vitest and npm say to their children, and nothing of a workload that this may run in. */
function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(?:npm_|VITEST|TEST$|NODE_ENV$|NODE_OPTIONS$|VERCEL|TESSERA_|AWS_|XDG_)/.test(name),
    ),
  );
}

export async function runNpm(folder: string, args: readonly string[]): Promise<string> {
  const npm = process.env['npm_execpath'];
  const [command, first] = npm ? [process.execPath, [npm]] : ['npm', []];
  const { status, stdout, stderr } = await start(
    folder,
    command,
    [...first, ...args, '--loglevel=error'],
    {},
  );
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed: ${stderr || stdout}`);
  return stdout.trim();
}

/** Builds a package as it is published, in a folder of its own: tests run side by side. */
export async function buildPackage(name: string, dist: string): Promise<void> {
  const builder = join(root, 'tools', 'build-package', 'main.ts');
  const { status, stdout, stderr } = await run(join(root, 'packages', name), [builder, dist]);
  if (status !== 0) throw new Error(`the build of ${name} failed: ${stdout}${stderr}`);
}

async function pack(folder: string, into: string): Promise<string> {
  const packed = JSON.parse(
    await runNpm(into, ['pack', folder, '--json', '--ignore-scripts', '--pack-destination', into]),
  ) as { filename: string }[] | Record<string, { filename: string }>;
  const [first] = Object.values(packed);
  if (first === undefined) throw new Error(`npm packed nothing of ${folder}`);
  return join(into, first.filename);
}

/** An empty project with the packed packages and the one thing that they need, and nothing of the house. */
export async function installPacked(
  names: readonly string[],
): Promise<{ folder: string; distOf(name: string): string }> {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-packed-'));
  writeFileSync(join(folder, 'package.json'), '{"name":"stranger","private":true,"type":"module"}\n');
  const distOf = (name: string): string => join(folder, '.built', name);
  const tarballs: string[] = [];
  for (const name of names) {
    await buildPackage(name, distOf(name));
    tarballs.push(await pack(distOf(name), folder));
  }
  // jose is here already: no registry is asked.
  const jose = await pack(join(root, 'node_modules', 'jose'), folder);
  await runNpm(folder, ['install', '--offline', '--no-audit', '--no-fund', jose, ...tarballs]);
  return { folder, distOf };
}

export function readManifest(folder: string, name: string): { dependencies?: Record<string, string> } {
  return JSON.parse(
    readFileSync(join(folder, 'node_modules', ...name.split('/'), 'package.json'), 'utf8'),
  ) as { dependencies?: Record<string, string> };
}
