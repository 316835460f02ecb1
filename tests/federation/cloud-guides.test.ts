import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

describe('the guides to clouds', () => {
  test.each(['aws', 'google-cloud', 'azure', 'vault', 'kubernetes', 'minio'])(
    '%s shows what the trust helper prints, and that has no mistake',
    (name) => {
      const guide = readFileSync(join(root, `docs/guides/clouds/${name}.md`), 'utf8');
      const [, words = ''] = /^tessera-cli (trust print .+)$/m.exec(guide) ?? [];
      const [, shown] = /^```json\n([\s\S]*?)^```$/m.exec(guide) ?? [];
      const { status, stdout } = spawnSync(
        process.execPath,
        [join(root, 'packages/cli/src/main.ts'), ...words.split(' ')],
        { encoding: 'utf8' },
      );
      expect([status, shown]).toEqual([0, stdout]);

      const issuer = /--issuer (\S+)/.exec(words)?.[1] ?? '';
      const lint = spawnSync(
        process.execPath,
        [join(root, 'packages/cli/src/main.ts'), 'trust', 'lint', name, '-', '--issuer', issuer],
        { encoding: 'utf8', input: shown ?? '' },
      );
      expect([lint.status, lint.stdout + lint.stderr]).toEqual([0, expect.stringContaining('0 errors')]);
    },
  );
});
