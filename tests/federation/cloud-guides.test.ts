import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

describe('the guides to clouds', () => {
  test.each(['aws', 'google-cloud', 'azure', 'vault', 'kubernetes'])(
    '%s shows what the trust helper prints',
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
    },
  );
});
