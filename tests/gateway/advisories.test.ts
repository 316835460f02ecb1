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

const extra = [
  'session of another host',
  'token of another project',
  'websockets',
  'secrets',
  'caches',
  'login CSRF',
  'hand-off',
  'mix-up',
  'keys',
  'key rotation',
  'key storms',
  'SSRF',
  'timing',
  'bypass of another host',
  'preflights',
  'trusted addresses',
  'dangling domains',
  'domain takeover',
];

/** The titles in a test file of the tests that run, and of the groups around them. */
function titlesIn(source: string): string[] {
  const code = source.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '');
  const titles = code.matchAll(
    /(?:\b(?:test|it|describe)(?:\.(?:concurrent|sequential))?|\))\(\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/g,
  );
  return [...titles].map(([, single, double, template]) => single ?? double ?? template ?? '');
}

/** The rows that titles name, whole: a longer name is another one. */
function namesIn(titles: string): Set<string> {
  return new Set([...titles.matchAll(/advisory-(?:\d\d|extra: [a-zA-Z][\w -]*\w)/g)].map(([name]) => name));
}

/** Every title of the house, one a line. */
function readTitles(): string {
  const files = ['tests', 'packages'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules'))
      .map((file) => join(root, folder, file)),
  );
  return files
    .filter((file) => file !== import.meta.filename)
    .flatMap((file) => titlesIn(readFileSync(file, 'utf8')))
    .join('\n');
}

test('every advisory of the register has a test that names it, or a written reason', () => {
  const register = readRegister();
  const named = namesIn(readTitles());
  expect([...register.keys()]).toEqual([
    ...Array.from({ length: 26 }, (_, index) => `advisory-${String(index + 1).padStart(2, '0')}`),
    ...extra.map((name) => `advisory-extra: ${name}`),
  ]);
  const without = [...register].filter(([name, how]) => !named.has(name) && !how.startsWith('No test:'));
  expect(without.map(([name]) => name)).toEqual([]);
});

test('every advisory that a test names is in the register', () => {
  const register = readRegister();
  expect([...namesIn(readTitles())].filter((name) => !register.has(name))).toEqual([]);
});

test('only the title of a test that runs counts', () => {
  const source = [
    "test('one (advisory-01)', () => {});",
    'describe.each(databases)(\n  "two\'s (advisory-02)",',
    "// test('a comment (advisory-03)', () => {});",
    "test.skip('skipped (advisory-04)', () => {});",
    "test.todo('to do (advisory-05)');",
    "const note = 'a string (advisory-06)';",
  ].join('\n');
  expect(titlesIn(source)).toEqual(['one (advisory-01)', "two's (advisory-02)"]);
});
