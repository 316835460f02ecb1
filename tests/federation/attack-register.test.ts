import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const page = 'docs/reference/federation-attacks.md';
const attacks = Array.from({ length: 22 }, (_, index) => String(index + 1).padStart(2, '0'));

/**
 * Numbers whose tests are still being written, each with what will hold it. Empty when federation is done: a number
 * leaves the list with its first test.
 */
const open: Readonly<Record<string, string>> = {};

describe('the register of attacks on federation', () => {
  const rows = readRows();
  const tested = findTested();

  test('every number has one row that says what it is and what holds it', () => {
    expect([...rows.keys()]).toEqual(attacks);
    for (const [number, row] of rows) expect(row.length, number).toBeGreaterThan(40);
  });

  test('every number has a test that names it, a waiver that is written down, or is on the open list', () => {
    const neither = attacks.filter(
      (number) => !tested.has(number) && !isWaived(rows.get(number)) && !(number in open),
    );
    expect(neither).toEqual([]);
  });

  test('nothing stays on the open list that has its test', () => {
    expect(Object.keys(open).filter((number) => tested.has(number))).toEqual([]);
  });

  test('no test names a number that there is not', () => {
    expect([...tested.keys()].filter((number) => !attacks.includes(number))).toEqual([]);
  });
});

function isWaived(row: string | undefined): boolean {
  return row?.includes('Waived: ') ?? false;
}

/** Rows `| 7 | attack | what holds it |`. */
function readRows(): Map<string, string> {
  const text = readFileSync(join(root, page), 'utf8');
  return new Map(
    [...text.matchAll(/^\|\s*(\d+)\s*\|([^|]*\|[^|]*)\|$/gm)].map(([, number = '', row = '']) => [
      number.padStart(2, '0'),
      row,
    ]),
  );
}

/** Numbers in titles of tests, `federation-07` or `federation-02, 14`. */
function findTested(): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of globSync('{packages/*/src,tests,tools}/**/*.test.ts', { cwd: root })) {
    const text = readFileSync(join(root, file), 'utf8');
    for (const [, title = ''] of text.matchAll(/(["'`](?:(?!["'`]).)*federation-\d.*?["'`])/g)) {
      for (const [, numbers = ''] of title.matchAll(/federation-(\d\d(?:, \d\d)*)/g)) {
        for (const number of numbers.split(', ')) if (!found.has(number)) found.set(number, file);
      }
    }
  }
  return found;
}
