import { expect, it } from 'vitest';
import { parseFraming } from './headers.ts';

// Node's parser refuses most of these before; this reading is what stays if it does not, as over HTTP/2.
const read = (rawHeaders: string[], minor = 1) =>
  parseFraming({ rawHeaders, httpVersionMajor: 1, httpVersionMinor: minor });

it.each([
  ['both framings', ['Transfer-Encoding', 'chunked', 'Content-Length', '5']],
  ['two transfer encodings', ['Transfer-Encoding', 'chunked', 'transfer-encoding', 'chunked']],
  ['another coding', ['Transfer-Encoding', 'gzip, chunked']],
  ['two lengths', ['Content-Length', '5', 'Content-Length', '5']],
  ['lengths in a list', ['Content-Length', '5, 5']],
  ['a length with a sign', ['Content-Length', '+5']],
])('refuses %s (advisory-12, security-92)', (_what, headers) => {
  expect(() => read(headers)).toThrow(/was received|were received/);
});

it('refuses chunks in HTTP/1.0, and reads what has one meaning', () => {
  expect(() => read(['Transfer-Encoding', 'chunked'], 0)).toThrow('HTTP/1.0');
  expect(read(['Transfer-Encoding', 'Chunked'])).toEqual({ length: undefined });
  expect(read(['Content-Length', '5'])).toEqual({ length: 5 });
  expect(read(['Content-Length', '0'])).toBeUndefined();
  expect(read([])).toBeUndefined();
});
