import { describe, expect, it } from 'vitest';
import type { AccessPolicy } from '@tessera/contract';
import { decide, evaluateAccessPolicy, type ProtectionFacts, type VisitorFacts } from '#protection';

const valid = { state: 'valid', sessionId: 'psid_1' } as const;

describe('the decision', () => {
  const outcome = (
    facts: Partial<ProtectionFacts>,
    environment: string,
    hostKind: 'generated' | 'alias' | 'custom',
  ) =>
    decide({
      passport: undefined,
      session: { state: 'none' },
      ...facts,
      deployment: { environment, hostKind },
    }).outcome.is;

  it('lets everything pass where nothing is protected', () => {
    expect(outcome({}, 'production', 'custom')).toBe('pass');
  });

  it.each([
    // deploymentType, production custom, production generated, production alias, preview custom, preview generated
    ['all', 'sign-in', 'sign-in', 'sign-in', 'sign-in', 'sign-in'],
    ['all_except_custom_domains', 'pass', 'sign-in', 'sign-in', 'sign-in', 'sign-in'],
    ['prod_deployment_urls_and_all_previews', 'pass', 'sign-in', 'sign-in', 'sign-in', 'sign-in'],
    ['preview', 'pass', 'pass', 'pass', 'sign-in', 'sign-in'],
  ] as const)('%s', (deploymentType, ...expected) => {
    const passport = { connectorId: 'scl_1', deploymentType };
    expect([
      outcome({ passport }, 'production', 'custom'),
      outcome({ passport }, 'production', 'generated'),
      outcome({ passport }, 'production', 'alias'),
      outcome({ passport }, 'preview', 'custom'),
      outcome({ passport }, 'preview', 'generated'),
    ]).toEqual(expected);
    expect(outcome({ passport, session: valid }, 'preview', 'custom')).toBe('pass');
    expect(outcome({ passport }, 'staging', 'custom')).toBe('sign-in');
  });

  it('refuses a setting that it does not know', () => {
    const passport = { connectorId: 'scl_1', deploymentType: 'everything' as 'all' };
    expect(outcome({ passport, session: valid }, 'production', 'generated')).toBe('refuse');
  });

  it('names the rules that it asked, in order, and the session that let the request pass', () => {
    const verdict = decide({
      deployment: { environment: 'production', hostKind: 'alias' },
      passport: { connectorId: 'scl_1', deploymentType: 'all' },
      session: valid,
    });
    expect(verdict.outcome).toEqual({ is: 'pass', sessionId: 'psid_1' });
    expect(verdict.rules.map(({ rule, answer }) => [rule, answer.says])).toEqual([
      ['scope', 'continue'],
      ['passport', 'pass'],
    ]);
  });

  it('leads a refused session to a new sign-in and says why', () => {
    const verdict = decide({
      deployment: { environment: 'production', hostKind: 'alias' },
      passport: { connectorId: 'scl_1', deploymentType: 'all' },
      session: { state: 'refused', because: 'The session has ended.' },
    });
    expect(verdict.outcome).toEqual({ is: 'sign-in', connectorId: 'scl_1' });
    expect(verdict.rules.at(-1)?.answer.because).toBe('The session has ended.');
  });
});

it('refuses two sessions at once, where anything is protected', () => {
  const deployment = { environment: 'production', hostKind: 'alias' } as const;
  const session = { state: 'ambiguous', because: 'Two.' } as const;
  const passport = { connectorId: 'scl_1', deploymentType: 'all' } as const;
  expect(decide({ deployment, session, passport }).outcome.is).toBe('refuse');
  expect(decide({ deployment, session, passport: undefined }).outcome.is).toBe('pass');
});

describe('the access policy', () => {
  const rule = (claim: string, ...values: string[]): AccessPolicy => ({ anyOf: [{ claim, values }] });
  const allowed = (policy: AccessPolicy, visitor: Partial<VisitorFacts>) =>
    evaluateAccessPolicy(policy, { claims: {}, ...visitor }).allowed;
  const domain = rule('email_domain', 'Corp.example');

  it('is everyone who signs in, unless there are rules', () => {
    expect(allowed('everyone', {})).toBe(true);
    expect(allowed(domain, {})).toBe(false);
  });

  it('lets nobody in by a policy without rules or in an unknown form', () => {
    expect(allowed({ anyOf: [] }, { email: 'ada@corp.example', emailVerified: true })).toBe(false);
    expect(allowed({} as AccessPolicy, { email: 'ada@corp.example', emailVerified: true })).toBe(false);
  });

  it('counts verified e-mail addresses only, and never a claim that calls itself one', () => {
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
