// Everything that is checked without running the product. All steps run, so that one run shows all that is wrong.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const steps: { name: string; command: string; args: string[] }[] = [
  { name: 'types', command: 'tsc', args: ['--noEmit'] },
  { name: 'lint', command: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
  { name: 'format', command: 'oxfmt', args: ['--check'] },
  { name: 'floor plan', command: process.execPath, args: ['tools/check-floor-plan/main.ts'] },
  { name: 'dead code', command: 'knip', args: ['--no-config-hints'] },
  { name: 'documentation', command: process.execPath, args: ['tools/check-docs/main.ts'] },
];

const failed = steps.filter(({ name, command, args }) => {
  const startedAt = performance.now();
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) console.error(`${command}: ${error.message}. Run it through npm: npm run check`);
  console.log(
    `${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${Math.round(performance.now() - startedAt)} ms)`,
  );
  return status !== 0;
});

if (failed.length > 0) {
  console.error(`check failed: ${failed.map(({ name }) => name).join(', ')}`);
  process.exitCode = 1;
}
