import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isBelow } from '#protection';

/** What the most lenient server might make of a path: decoded twice, tidied, without parameters. */
function lenient(path: string): string[] {
  const decode = (text: string) =>
    text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return [path, decode(path), decode(decode(path))].flatMap((text) => {
    const plain = text
      .replaceAll('\\', '/')
      .replaceAll(/;[^/]*/g, '')
      .replaceAll(/\/+/g, '/');
    // The URL parser takes dot segments out.
    return [plain, new URL(plain.replaceAll(/[?#].*/g, ''), 'http://host').pathname];
  });
}

const piece = fc.constantFrom(
  '/',
  '//',
  'api',
  'apiary',
  'admin',
  '.',
  '..',
  '...',
  ';x',
  '%2f',
  '%2e',
  '%252e',
  '%5c',
  '\\',
  '%00',
  '%3b',
  '-',
  '~',
  ':',
  'A',
);
const path = fc.array(piece, { maxLength: 8 }).map((pieces) => `/${pieces.join('')}`);
const underApi = fc.array(piece, { maxLength: 8 }).map((pieces) => `/api${pieces.join('')}`);

test('whatever a server makes of a path that lies below a prefix, it lies there too', () => {
  let below = 0;
  fc.assert(
    fc.property(fc.oneof(path, underApi), (asked) => {
      if (!isBelow(asked, '/api')) return;
      below++;
      for (const reading of lenient(asked))
        expect(`${reading}/`.startsWith('/api/'), `${asked} as ${reading}`).toBe(true);
    }),
    { numRuns: 20_000 },
  );
  expect(below).toBeGreaterThan(200);
});
