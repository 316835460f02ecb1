import { describe, expect, test } from 'vitest';
import { setVariable } from './environment-file.ts';

const change = (before: string) =>
  setVariable(Buffer.from(before, 'latin1'), 'TOKEN', 'a.b.c').toString('latin1');

describe('setting a variable', () => {
  test.each([
    ['an empty file', '', '# Created by Tessera CLI\nTOKEN="a.b.c"\n'],
    ['a byte order mark alone', '\xef\xbb\xbf', '\xef\xbb\xbf# Created by Tessera CLI\nTOKEN="a.b.c"\n'],
    ['a file without it', 'A=1\n# note\n', 'A=1\n# note\nTOKEN="a.b.c"\n'],
    ['a last line without end', 'A=1', 'A=1\nTOKEN="a.b.c"\n'],
    ['CRLF', 'A=1\r\nB=2', 'A=1\r\nB=2\r\nTOKEN="a.b.c"\r\n'],
    ['its place', 'A=1\r\nTOKEN=old\r\nB=2\r\n', 'A=1\r\nTOKEN="a.b.c"\r\nB=2\r\n'],
    ['export, indentation, comment', ' export TOKEN = old # why\nB=2', ' export TOKEN = "a.b.c" # why\nB=2'],
    ['behind a byte order mark', '\xef\xbb\xbfTOKEN=old\n', '\xef\xbb\xbfTOKEN="a.b.c"\n'],
    ['an empty value', 'TOKEN=\nB=2\n', 'TOKEN="a.b.c"\nB=2\n'],
    ['quotes', `TOKEN='o # l' # why\n`, `TOKEN="a.b.c" # why\n`],
    ['several lines in quotes', 'TOKEN="one\ntwo"\nB=2\n', 'TOKEN="a.b.c"\nB=2\n'],
    ['a colon', 'TOKEN: old\n', 'TOKEN: "a.b.c"\n'],
    ['duplicates', 'TOKEN=1\nA=1\nexport TOKEN=2\n\nTOKEN=3', 'TOKEN="a.b.c"\nA=1\n\n'],
    [
      'what only looks like it',
      '#TOKEN=1\nMY_TOKEN=2\nTOKEN2=3\n',
      '#TOKEN=1\nMY_TOKEN=2\nTOKEN2=3\nTOKEN="a.b.c"\n',
    ],
    ['another value that has it', 'K="x\nTOKEN=no\n"\nTOKEN=1\n', 'K="x\nTOKEN=no\n"\nTOKEN="a.b.c"\n'],
    ['a quote that is never closed', `K='it\nTOKEN=1\n`, `K='it\nTOKEN="a.b.c"\n`],
    ['bytes that are no UTF-8', 'K=\xff\xfe\x00\nTOKEN=1\n', 'K=\xff\xfe\x00\nTOKEN="a.b.c"\n'],
  ])('%s', (_, before, after) => {
    expect(change(before)).toBe(after);
    expect(change(after)).toBe(after);
  });
});
