import { expect, test } from 'vitest';
import { createIpRangeTest, formatIpRange, ipRangeProblem, isInIpRange, parseIpRange } from './index.ts';

const canonical = (text: string) => {
  const range = parseIpRange(text);
  return range && formatIpRange(range);
};
const contains = (range: string, address: string) => {
  const parsed = parseIpRange(range);
  if (parsed === undefined) throw new Error(`${range} is no range`);
  return isInIpRange(parsed, address);
};

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['192.0.2.7/32', '192.0.2.7'],
  ['10.0.0.0/8', '10.0.0.0/8'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['2001:db8::/32', '2001:db8::/32'],
  ['::1', '::1'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::FFFF:c000:0207', '192.0.2.7'],
  ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
  ['::ffff:192.0.2.7/128', '192.0.2.7'],
])('%s is %s', (text, expected) => {
  expect(canonical(text)).toBe(expected);
});

test.each([
  '',
  'localhost',
  '10.0.0.0/33',
  '10.0.0.0/08',
  '10.0.0.0/-1',
  '10.0.0.0/8/8',
  '10.0.0.0/',
  '10.0.0',
  '010.0.0.1',
  '0x0a.0.0.1',
  '167772161',
  '2001:db8::/129',
  'fe80::1%eth0',
  '[::1]',
  '::ffff:10.0.0.0/8',
  ' 10.0.0.1',
  '10.0.0.1,10.0.0.2',
])('%j is no range', (text) => {
  expect(parseIpRange(text)).toBeUndefined();
  expect(ipRangeProblem(text)).toContain('is not an IPv4 or IPv6 address');
});

test('a range that would be cut, or is everybody, is not stored', () => {
  expect(ipRangeProblem('10.1.2.3/8')).toContain('10.0.0.0/8');
  expect(ipRangeProblem('2001:db8::1/32')).toContain('2001:db8::/32');
  for (const all of ['0.0.0.0/0', '::/0', '::ffff:0.0.0.0/96'])
    expect(ipRangeProblem(all)).toContain('every address');
  for (const good of ['10.0.0.0/8', '192.0.2.7', '2001:db8::/32'])
    expect(ipRangeProblem(good)).toBeUndefined();
});

test('an address lies in a range of its own family alone, however it is written', () => {
  expect(contains('10.0.0.0/8', '10.255.255.255')).toBe(true);
  expect(contains('10.0.0.0/8', '11.0.0.0')).toBe(false);
  expect(contains('10.0.0.0/8', '::ffff:10.1.2.3')).toBe(true);
  expect(contains('10.0.0.0/8', '::ffff:0a01:0203')).toBe(true);
  expect(contains('::ffff:10.0.0.0/104', '10.1.2.3')).toBe(true);
  // An IPv4-compatible address is another one (RFC 4291 section 2.5.5.1).
  expect(contains('10.0.0.0/8', '::10.1.2.3')).toBe(false);
  expect(contains('192.0.2.7', '192.0.2.8')).toBe(false);
  expect(contains('2001:db8::/32', '2001:db8:ffff::1')).toBe(true);
  expect(contains('2001:db8::/32', '2001:db9::1')).toBe(false);
  expect(contains('2000::/3', '10.0.0.1')).toBe(false);
  for (const none of ['', 'unknown', '10.0.0.1:80', 'fe80::1%lo'])
    expect(contains('10.0.0.0/8', none)).toBe(false);
});

test('an address is looked for in many ranges', () => {
  const isOne = createIpRangeTest(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::/0']);
  for (const within of ['10.1.2.3', '::ffff:10.1.2.3', '192.0.2.7', '2001:db8::1', '2001:db9::1'])
    expect(isOne(within)).toBe(true);
  // All of IPv6 is nothing of IPv4, not even where it is written as IPv6.
  for (const without of ['11.0.0.0', '192.0.2.8', '::ffff:11.0.0.0', '', 'unknown', 'fe80::1%lo'])
    expect(isOne(without)).toBe(false);
  expect(createIpRangeTest([])('10.0.0.1')).toBe(false);
  for (const none of ['10.0.0.0/33', 'localhost', '', '::ffff:0:0/95'])
    expect(() => createIpRangeTest(['10.0.0.0/8', none])).toThrow('is not an IP address or a CIDR range');
});
