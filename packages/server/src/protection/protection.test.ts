import { describe, expect, it } from 'vitest';
import { decide, evaluateAccessPolicy, type AccessPolicy, type ProtectionFacts } from '#protection';

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

describe('the access policy', () => {
  const domain: AccessPolicy = { allow: 'matching', rules: [{ emailDomains: ['Corp.example'] }] };
  const allowed = (policy: AccessPolicy | undefined, claims: Record<string, unknown>) =>
    evaluateAccessPolicy(policy, claims).allowed;

  it('is everyone who signs in, unless there are rules', () => {
    expect(allowed(undefined, {})).toBe(true);
    expect(allowed({ allow: 'everyone' }, {})).toBe(true);
  });

  it('lets nobody in by a policy without rules, a rule without conditions or an unknown form', () => {
    expect(allowed({ allow: 'matching', rules: [] }, { email: 'a@corp.example', email_verified: true })).toBe(
      false,
    );
    expect(
      allowed({ allow: 'matching', rules: [{}] }, { email: 'a@corp.example', email_verified: true }),
    ).toBe(false);
    expect(allowed({} as AccessPolicy, {})).toBe(false);
  });

  it('counts verified e-mail addresses only', () => {
    expect(allowed(domain, { email: 'Ada@corp.example', email_verified: true })).toBe(true);
    expect(allowed(domain, { email: 'ada@corp.example', email_verified: 'true' })).toBe(false);
    expect(allowed(domain, { email: 'ada@corp.example' })).toBe(false);
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
    expect(allowed(domain, { email, email_verified: true })).toBe(false);
  });

  it('wants every condition of one rule', () => {
    const policy: AccessPolicy = {
      allow: 'matching',
      rules: [
        { emails: ['ada@corp.example'], claims: { groups: ['staff'] } },
        { claims: { role: ['root'] } },
      ],
    };
    const ada = { email: 'ada@corp.example', email_verified: true };
    expect(allowed(policy, ada)).toBe(false);
    expect(allowed(policy, { ...ada, groups: ['guests', 'staff'] })).toBe(true);
    expect(allowed(policy, { groups: 'staff' })).toBe(false);
    expect(allowed(policy, { role: 'root' })).toBe(true);
    expect(allowed({ allow: 'matching', rules: [{ claims: { constructor: ['x'] } }] }, {})).toBe(false);
  });
});
