import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createUserCode, formatUserCode, parseUserCode } from './device-request.ts';

const letters = 'BCDFGHJKLMNPQRSTVWXZ';

test('a user code is read however somebody writes it', () => {
  for (const typed of ['WDJB-MJHT', 'wdjbmjht', ' WDJB MJHT ', 'wdjb–mjht', 'W D J B.M J H T']) {
    expect(parseUserCode(typed)).toBe('WDJBMJHT');
  }
  expect(formatUserCode('WDJBMJHT')).toBe('WDJB-MJHT');
});

test('what cannot be a code is none', () => {
  for (const typed of ['', 'WDJB-MJH', 'WDJB-MJHTX', 'ADJB-MJHT', '0000-0000', 'WDJB+MJHT', 'ẂDJB-MJHT']) {
    expect(parseUserCode(typed)).toBeUndefined();
  }
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (typed) => {
      const code = parseUserCode(typed);
      expect(code === undefined || /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/.test(code)).toBe(true);
    }),
  );
});

test('codes are made of all letters alike, and come back as they were', () => {
  const seen = new Set<string>();
  for (let made = 0; made < 500; made += 1) {
    const code = createUserCode();
    expect(parseUserCode(formatUserCode(code))).toBe(code);
    for (const letter of code) seen.add(letter);
  }
  expect([...seen].toSorted().join('')).toBe(letters);
});
