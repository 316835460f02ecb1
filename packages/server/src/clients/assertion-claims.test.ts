import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AssertionRefused, parseAssertion, validateClaims } from './assertion-claims.ts';

const encode = (value: unknown) => Buffer.from(JSON.stringify(value) ?? '').toString('base64url');
const right = { audience: 'https://id.example', now: 1_800_000_000_000 };

test('whatever is sent is read or refused, and nothing else is thrown', () => {
  const member = fc.oneof(fc.jsonValue(), fc.constant('https://id.example'), fc.constant(1_800_000_060));
  const claims = fc.record(
    { iss: member, sub: member, aud: member, exp: member, iat: member, nbf: member, jti: member },
    { requiredKeys: [] },
  );
  const header = fc.record({ alg: member, typ: member, kid: member, crit: member }, { requiredKeys: [] });
  const token = fc.oneof(
    fc.string(),
    fc
      .tuple(fc.oneof(header, fc.jsonValue()), fc.oneof(claims, fc.jsonValue()))
      .map(([head, body]) => `${encode(head)}.${encode(body)}.c2ln`),
  );
  fc.assert(
    fc.property(token, (text) => {
      try {
        const assertion = parseAssertion(text);
        expect(typeof assertion.algorithm).toBe('string');
        const { expiresAt, id } = validateClaims(assertion.claims, right);
        expect(assertion.claims.aud).toBe(right.audience);
        expect(id).not.toBe('');
        expect(expiresAt * 1000).toBeGreaterThan(right.now);
      } catch (error) {
        // oxlint-disable-next-line vitest/no-conditional-expect -- either way it must be one of the two
        expect(error).toBeInstanceOf(AssertionRefused);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a list is no audience, but where the app says so', () => {
  const claims = { aud: ['https://id.example'], exp: right.now / 1000 + 60, jti: 'a' };
  expect(() => validateClaims(claims, right)).toThrow(/a list/);
  const lenient = { ...right, alsoAudience: 'https://id.example/token' };
  expect(validateClaims(claims, lenient)).toMatchObject({ id: 'a' });
  expect(validateClaims({ ...claims, aud: lenient.alsoAudience }, lenient)).toMatchObject({ id: 'a' });
  expect(() => validateClaims({ ...claims, aud: 'https://other.example' }, lenient)).toThrow(
    AssertionRefused,
  );
});
