import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checklist } from './checklist.ts';

const root = join(import.meta.dirname, '../..');

describe('the security register', () => {
  const tested = findTestedItems();
  const excepted = findExceptions();
  const isNotApplicable = (item: string): boolean =>
    excepted.get(item)?.startsWith('Not applicable: ') ?? false;

  test('every item has a test that names it, or a row in the table of exceptions', () => {
    const neither = Object.keys(checklist).filter((item) => !tested.has(item) && !isNotApplicable(item));
    expect(neither.map((item) => `${item}: ${checklist[item]}`)).toEqual([]);
  });

  test('no test and no row names an item that the checklist does not have', () => {
    const unknown = [...tested.keys(), ...excepted.keys()].filter((item) => !isItem(item));
    expect(unknown.map((item) => `${item} in ${tested.get(item) ?? 'the table'}`)).toEqual([]);
  });

  test('every row of the table gives its reason', () => {
    for (const [item, reason] of excepted) expect(reason.length, item).toBeGreaterThan(40);
  });
});

/** The checklist has 102 items; those of other parts of the server are listed with them. */
function isItem(item: string): boolean {
  return item in checklist || (/^\d+$/.test(item) && Number(item) >= 53 && Number(item) <= 102);
}

/** Items in titles of tests, `security-18` or `security-18, 19`, with the first file that names each. */
function findTestedItems(): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of globSync('{packages/*/src,tests,tools}/**/*.test.ts', { cwd: root })) {
    const text = readFileSync(join(root, file), 'utf8');
    for (const [, title = ''] of text.matchAll(/(["'`](?:(?!["'`]).)*security-\d.*?["'`])/g)) {
      for (const [, items = ''] of title.matchAll(/security-(\d+[a-e]?(?:, \d+[a-e]?)*)/g)) {
        for (const item of items.split(', ')) if (!found.has(item)) found.set(item, file);
      }
    }
  }
  return found;
}

/** Rows `| 46 | what | why |`. Only "Not applicable" takes the place of a test; the others say what a test holds instead. */
function findExceptions(): Map<string, string> {
  const text = readFileSync(join(root, 'docs/reference/security-exceptions.md'), 'utf8');
  return new Map(
    [...text.matchAll(/^\|\s*(\d+[a-e]?)\s*\|[^|]*\|\s*([^|]*?)\s*\|$/gm)].map(
      ([, item = '', reason = '']) => [item, reason],
    ),
  );
}
