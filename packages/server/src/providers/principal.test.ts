import { expect, it } from 'vitest';
import type { Connector } from '#connectors';
import { toPrincipal } from './principal.ts';

const connector = { forwardedClaims: ['groups', 'role'] } as unknown as Connector;
const named = { externalSub: 'visitor|1', externalIss: 'https://idp.example' };
const email = 'a@b.example';

it.each([
  [true, true],
  ['true', true],
  [false, false],
  ['false', false],
  ['yes', false],
  [1, false],
])('reads email_verified %j as %s', (said, read) => {
  expect(toPrincipal(connector, named, [{ email, email_verified: said }]).emailVerified).toBe(read);
});

it.each([
  {},
  { email: null },
  { email: '' },
  { email_verified: true },
  { email, email_verified: null },
  { email },
])('says of %j nothing that the provider did not say', (source) => {
  const principal = toPrincipal(connector, named, [source]);
  expect(principal).not.toHaveProperty('emailVerified');
  expect(principal).not.toHaveProperty('name');
  expect(principal.claims).toEqual({});
  expect(principal.email).toBe('email' in source && source.email === email ? email : undefined);
});
