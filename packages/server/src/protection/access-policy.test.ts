import { describe, expect, it } from 'vitest';
import type { AccessPolicy } from '@tessera/contract';
import { evaluateAccessPolicy, type VisitorFacts } from '#protection';

describe('the access policy', () => {
  const rule = (claim: string, ...values: string[]): AccessPolicy => ({ anyOf: [{ claim, values }] });
  const allowed = (policy: AccessPolicy, visitor: Partial<VisitorFacts>) =>
    evaluateAccessPolicy(policy, { claims: {}, ...visitor }).allowed;
  const domain = rule('email_domain', 'Corp.example');

  it('is everyone who signs in, unless there are rules', () => {
    expect(allowed('everyone', {})).toBe(true);
    expect(allowed(domain, {})).toBe(false);
  });

  it('lets nobody in by a policy without rules or in an unknown form (advisory-21)', () => {
    expect(allowed({ anyOf: [] }, { email: 'ada@corp.example', emailVerified: true })).toBe(false);
    expect(allowed({} as AccessPolicy, { email: 'ada@corp.example', emailVerified: true })).toBe(false);
  });

  it('counts verified e-mail addresses only, and never a claim that calls itself one (advisory-20)', () => {
    expect(allowed(domain, { email: 'Ada@corp.example', emailVerified: true })).toBe(true);
    expect(allowed(domain, { email: 'ada@corp.example', emailVerified: false })).toBe(false);
    expect(allowed(domain, { email: 'ada@corp.example' })).toBe(false);
    expect(allowed(domain, { claims: { email_domain: 'corp.example' } })).toBe(false);
    expect(allowed(rule('email', 'ada@corp.example'), { claims: { email: 'ada@corp.example' } })).toBe(false);
  });

  it.each([
    'a@evil.example@corp.example',
    '@corp.example',
    'a@sub.corp.example',
    'a@corp.example.',
    'a@xcorp.example',
    'a b@corp.example',
    'a@corp.example\n',
  ])('does not take %j for an address at corp.example', (email) => {
    expect(allowed(domain, { email, emailVerified: true })).toBe(false);
  });

  it('takes one value of a claim that is a list, compares exactly, and looks at no inherited name', () => {
    const staff = rule('groups', 'staff');
    expect(allowed(staff, { claims: { groups: ['guests', 'staff'] } })).toBe(true);
    expect(allowed(staff, { claims: { groups: 'staff' } })).toBe(true);
    expect(allowed(staff, { claims: { groups: ['Staff', 'staff,guests', { staff: true }] } })).toBe(false);
    expect(allowed(rule('constructor', 'x'), {})).toBe(false);
  });

  it('wants one of several rules', () => {
    const policy: AccessPolicy = {
      anyOf: [
        { claim: 'email', values: ['ada@corp.example'] },
        { claim: 'role', values: ['root'] },
      ],
    };
    expect(evaluateAccessPolicy(policy, { claims: { role: 'root' } })).toEqual({
      allowed: true,
      because: 'Rule 2 of the access policy matches, by the claim "role".',
    });
    expect(allowed(policy, { email: 'eve@corp.example', emailVerified: true })).toBe(false);
  });
});
