import { expect, it } from 'vitest';
import { toReported } from './live-test.ts';

const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl';

it('shows claims as they came', () => {
  const claims = {
    sub: 'staff|grace',
    picture: 'https://accounts-corporation.googleusercontent.com/photo.jpg',
    groups: ['staff', 'Everyone'],
    address: { country: 'NL' },
    email_verified: true,
    level: 3,
    nothing: null,
  };
  expect(toReported(claims)).toEqual(claims);
});

it('leaves out whatever could open a door, however deep', () => {
  const reported = toReported({
    access_token: 'opaque',
    refreshToken: 'opaque',
    client_secret: 'opaque',
    note: `see ${token}`,
    unsigned: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.',
    encrypted: 'eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn',
    list: [{ inner: token, id_token: 'opaque' }],
  });
  expect(JSON.stringify(reported)).not.toMatch(/eyJ|opaque/);
  expect(Object.keys(reported)).toContain('note');
});

it('stays small whatever a provider gives', () => {
  let deep: unknown = 'x';
  for (let level = 0; level < 50; level++) deep = [deep];
  const reported = toReported({
    deep,
    long: 'x'.repeat(100_000),
    many: Array(10_000).fill('group'),
    ...Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`c${index}`, 'x'.repeat(900)])),
  });
  expect(JSON.stringify(reported).length).toBeLessThan(64 * 1024);
});

it('makes nothing of names that objects have by themselves', () => {
  const reported = toReported(
    JSON.parse('{"__proto__":{"isAdmin":true},"constructor":"x"}') as object as Record<string, unknown>,
  );
  expect(reported['isAdmin']).toBeUndefined();
  expect(Object.getPrototypeOf(reported)).toBe(Object.prototype);
});
