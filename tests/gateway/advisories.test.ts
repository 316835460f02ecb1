import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** The rows of the register, and what it says of one that no test is about. */
function readRegister(): Map<string, string> {
  const text = readFileSync(join(root, 'docs/reference/gateway-advisories.md'), 'utf8');
  const rows = text.matchAll(/^\| (advisory-\d\d|advisory-extra: [^|]+?) \|[^|]*\|([^|]*)\|$/gm);
  return new Map([...rows].map(([, name = '', how = '']) => [name, how.trim()]));
}

/** Every test file of the house, as one text. */
function readTests(): string {
  const files = ['tests', 'packages'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules'))
      .map((file) => join(root, folder, file)),
  );
  return files
    .filter((file) => file !== import.meta.filename)
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
}

test('every advisory of the register has a test that names it, or a written reason', () => {
  const register = readRegister();
  const tests = readTests();
  expect([...register.keys()].filter((name) => /^advisory-\d\d$/.test(name))).toEqual(
    Array.from({ length: 26 }, (_, index) => `advisory-${String(index + 1).padStart(2, '0')}`),
  );
  const without = [...register].filter(([name, how]) => !tests.includes(name) && !how.startsWith('No test:'));
  expect(without.map(([name]) => name)).toEqual([]);
});

test('every advisory that a test names is in the register', () => {
  const register = readRegister();
  const named = new Set(
    [...readTests().matchAll(/advisory-(?:\d\d|extra: [a-zA-Z][\w -]*\w)/g)].map(([name]) => name),
  );
  expect([...named].filter((name) => !register.has(name))).toEqual([]);
});
