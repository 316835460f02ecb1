import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

/** Stands in for npm: notes that it ran, and makes a node_modules with a node in it. */
const standIn = `
const { appendFileSync, mkdirSync, rmSync, writeFileSync } = require('node:fs');
appendFileSync('runs', process.argv.slice(2).join(' ') + '\\n');
console.log('npm says something');
rmSync('node_modules', { recursive: true, force: true });
setTimeout(() => {
  if (process.env.NPM_FAILS) process.exit(3);
  mkdirSync('node_modules/.bin', { recursive: true });
  writeFileSync('node_modules/.bin/node', '');
}, 300);
`;

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tessera-setup-'));
  mkdirSync(join(root, 'tools'));
  cpSync(join(import.meta.dirname, 'setup.mjs'), join(root, 'tools/setup.mjs'));
  writeFileSync(join(root, 'npm.cjs'), standIn);
  lockOnto('1.0.0');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const packages = (version: string) => ({
  'node_modules/a': { version, integrity: `of ${version}` },
  'node_modules/only-elsewhere': { version: '1.0.0', optional: true },
});

function lockOnto(version: string): void {
  writeFileSync(
    join(root, 'package-lock.json'),
    JSON.stringify({ packages: { '': {}, ...packages(version) } }),
  );
}

function setup(
  env: Record<string, string> = {},
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const { promise, resolve } = Promise.withResolvers<{
    status: number | null;
    stdout: string;
    stderr: string;
  }>();
  const child = spawn(process.execPath, [join(root, 'tools/setup.mjs')], {
    cwd: root,
    env: { PATH: process.env['PATH'], npm_execpath: join(root, 'npm.cjs'), ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.once('close', (status) => resolve({ status, stdout, stderr }));
  return promise;
}

function countRuns(): number {
  const runs = join(root, 'runs');
  return existsSync(runs) ? readFileSync(runs, 'utf8').trim().split('\n').length : 0;
}

test('installs once, then only when the lockfile changes, and keeps stdout clean', async () => {
  expect(await setup()).toMatchObject({
    status: 0,
    stdout: '',
    stderr: expect.stringContaining('npm says something'),
  });
  expect(await setup()).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(countRuns()).toBe(1);
  lockOnto('2.0.0');
  expect((await setup()).status).toBe(0);
  expect(countRuns()).toBe(2);
});

test('installs again when node_modules is gone', async () => {
  await setup();
  rmSync(join(root, 'node_modules'), { recursive: true });
  await setup();
  expect(countRuns()).toBe(2);
});

test('takes what somebody installed by hand, if it is what the lockfile says', async () => {
  await setup();
  lockOnto('2.0.0');
  const installed = { packages: { 'node_modules/a': packages('2.0.0')['node_modules/a'] } };
  writeFileSync(join(root, 'node_modules/.package-lock.json'), JSON.stringify(installed));
  expect((await setup()).stderr).toBe('');
  lockOnto('3.0.0');
  await setup();
  expect(countRuns()).toBe(2);
});

test('installs once for runs at the same time', async () => {
  const runs = await Promise.all([setup(), setup(), setup()]);
  expect(runs.map(({ status }) => status)).toEqual([0, 0, 0]);
  expect(countRuns()).toBe(1);
  expect(existsSync(join(root, '.tessera-setup.lock'))).toBe(false);
});

test('does not count a failed install as done', async () => {
  expect(await setup({ NPM_FAILS: '1' })).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('npm ci failed'),
  });
  expect(existsSync(join(root, '.tessera-setup.lock'))).toBe(false);
  expect((await setup()).status).toBe(0);
  expect(countRuns()).toBe(2);
});

test('takes over the lock of a run that was killed', async () => {
  const lock = join(root, '.tessera-setup.lock');
  mkdirSync(lock);
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(lock, longAgo, longAgo);
  expect((await setup()).status).toBe(0);
  expect(countRuns()).toBe(1);
});
