import { wireNames } from '@tessera/protocol';
import { afterEach, expect, test, vi } from 'vitest';
import { createCookieReader } from './cookies.ts';
import { createRequestHeaderRules } from './headers.ts';
import { createOwnNames } from './own-names.ts';

const names = createOwnNames(wireNames('vercel'), true);

afterEach(() => {
  vi.restoreAllMocks();
});

test('cookies are remembered where one of them is ours, and of so many headers only', () => {
  const read = createCookieReader(names);
  const session = (value: number) => [`${names.sessionCookie}=${value}`];
  expect(read(['a=1'])).not.toBe(read(['a=1']));
  const first = read(session(0));
  expect(read(session(0))).toBe(first);
  for (let value = 1; value <= 4_000; value++) read(session(value));
  expect(read(session(0))).not.toBe(first);
});

test('no name of a header is remembered that is longer than any real one', () => {
  const rules = createRequestHeaderRules(names, { protocol: 'https:', port: '' });
  const remembered = vi.spyOn(Map.prototype, 'set');
  const host = { name: 'a.example', authority: 'a.example', origin: 'https://a.example' };
  const long = `x-${'a'.repeat(63)}`;
  const sent = [long, '1', `x-vercel-${long}`, '2', 'x-short', '3'];
  const headers = rules.forUpstream(sent, {
    isPreflight: false,
    host,
    clientAddress: '192.0.2.1',
    reference: 'ref',
    cookies: undefined,
    visitorToken: undefined,
    workloadToken: undefined,
  });
  expect(headers).toContain(long);
  expect(headers).not.toContain('2');
  expect(remembered.mock.calls.map(([name]) => String(name))).toEqual(['x-short']);
});
