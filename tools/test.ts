// Runs the tests and ends with one line that a script can read: `N passed, N failed[, N skipped]`.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { summarize, tally, type Report } from './test-tally.ts';

const root = join(import.meta.dirname, '..');
const passedOn = process.argv.slice(2).filter((argument) => argument !== '--long');
const long = passedOn.length < process.argv.length - 2;

const folder = mkdtempSync(join(tmpdir(), 'tessera-test-'));
const reportFile = join(folder, 'report.json');
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');

const child = spawn(
  process.execPath,
  [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`, ...passedOn],
  {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...(long ? { TESSERA_TEST_LONG: '1' } : {}) },
  },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));

child.once('close', (status) => {
  const counts = tally(readReport(), status);
  rmSync(folder, { recursive: true, force: true });
  for (const name of counts.skippedNames) console.log(`skipped: ${name}`);
  console.log(summarize(counts));
  process.exitCode = counts.failed > 0 || counts.passed === 0 || status !== 0 ? 1 : 0;
});

function readReport(): Report | null {
  try {
    return JSON.parse(readFileSync(reportFile, 'utf8')) as Report;
  } catch {
    // The runner died before it could write one.
    return null;
  }
}
