import { describe, expect, it, test } from 'vitest';
import { decide, isBelow, ruleNames, type ProtectionFacts, type SecretFact } from '#protection';

const valid = { state: 'valid', sessionId: 'psid_1', of: 'person' } as const;
const absent: SecretFact = { state: 'absent' };
const accepted: SecretFact = { state: 'accepted', because: 'It is good.' };
const refused: SecretFact = { state: 'refused', because: 'It is not.' };
const passport = { connectorId: 'scl_1', deploymentType: 'all', isEntitled: true } as const;

type Changes = Partial<Omit<ProtectionFacts, 'deployment'>> & {
  deployment?: Partial<ProtectionFacts['deployment']>;
};

/** A request that shows nothing for itself, to a project without protection. */
function facts({ deployment, ...changes }: Changes = {}): ProtectionFacts {
  return {
    deployment: { host: 'a.example', environment: 'production', hostKind: 'alias', ...deployment },
    exceptions: [],
    optionsAllowlist: { state: 'off' },
    trustedSource: absent,
    automationBypass: absent,
    shareLink: absent,
    trustedIps: undefined,
    passport: undefined,
    ssoProtection: undefined,
    password: undefined,
    session: { state: 'none' },
    ...changes,
  };
}
const trustedIps = (protectionMode: 'additional' | 'exclusive', isTrusted: boolean) => ({
  deploymentType: 'all' as const,
  protectionMode,
  isTrusted,
});
const outcome = (changes: Changes) => decide(facts(changes)).outcome;
const is = (changes: Changes) => outcome(changes).is;
const by = (changes: Changes) => {
  const decided = outcome(changes);
  return decided.is === 'pass' ? decided.by : decided.is;
};

describe('which deployments a way to sign in covers', () => {
  const places = [
    { environment: 'production', hostKind: 'custom' },
    { environment: 'production', hostKind: 'generated' },
    { environment: 'production', hostKind: 'alias' },
    { environment: 'preview', hostKind: 'custom' },
    { environment: 'staging', hostKind: 'custom' },
  ] as const;

  it.each([
    ['all', 'sign-in', 'sign-in', 'sign-in', 'sign-in', 'sign-in'],
    ['all_except_custom_domains', 'pass', 'sign-in', 'sign-in', 'sign-in', 'sign-in'],
    ['prod_deployment_urls_and_all_previews', 'pass', 'sign-in', 'sign-in', 'sign-in', 'sign-in'],
    ['preview', 'pass', 'pass', 'pass', 'sign-in', 'sign-in'],
  ] as const)('%s', (deploymentType, ...expected) => {
    const asks = { ...passport, deploymentType };
    expect(places.map((deployment) => is({ passport: asks, deployment }))).toEqual(expected);
    expect(places.map((deployment) => is({ ssoProtection: { deploymentType }, deployment }))).toEqual(
      expected,
    );
    expect(places.map((deployment) => is({ password: { deploymentType }, deployment }))).toEqual(
      expected.map((one) => (one === 'sign-in' ? 'password' : one)),
    );
    for (const deployment of places) expect(is({ passport: asks, deployment, session: valid })).toBe('pass');
  });

  it('is none of a setting that is not known', () => {
    const deploymentType = 'everything' as 'all';
    for (const setting of [
      { passport: { ...passport, deploymentType } },
      { ssoProtection: { deploymentType } },
      { password: { deploymentType } },
      { trustedIps: { ...trustedIps('exclusive', true), deploymentType } },
      // One that is known does not make up for one that is not.
      { passport, password: { deploymentType } },
    ])
      expect(is({ ...setting, session: valid })).toBe('refuse');
  });
});

describe('the order', () => {
  const protectedFacts = { passport, trustedIps: trustedIps('additional', false) };

  test('is the documented one', () => {
    expect(ruleNames).toEqual([
      'deployment-exception',
      'options-allowlist',
      'trusted-source',
      'automation-bypass',
      'share-link',
      'trusted-ips',
      'scope',
      'passport',
      'platform-accounts',
      'password',
    ]);
    const verdict = decide(facts({ password: { deploymentType: 'all' }, session: valid }));
    expect(verdict.rules.map(({ rule }) => rule)).toEqual(ruleNames);
  });

  it.each<[Changes, string]>([
    [{ exceptions: ['b.example', 'a.example'] }, 'deployment-exception'],
    [{ optionsAllowlist: { state: 'listed', prefix: '/api' } }, 'options-allowlist'],
    [{ trustedSource: accepted }, 'trusted-source'],
    [{ automationBypass: accepted }, 'automation-bypass'],
    [{ shareLink: accepted }, 'share-link'],
    [{ trustedIps: trustedIps('exclusive', true) }, 'trusted-ips'],
    [{ trustedIps: trustedIps('additional', true), session: valid }, 'passport'],
  ])('%j passes by %s', (changes, rule) => {
    expect(by({ ...protectedFacts, ...changes })).toBe(rule);
  });

  it.each<Changes>([
    {},
    { exceptions: ['b.example'] },
    { optionsAllowlist: { state: 'other', because: 'Another path.' } },
    { trustedSource: refused, automationBypass: refused, shareLink: refused },
    { session: valid },
    { trustedIps: trustedIps('exclusive', false), session: valid },
  ])('from a foreign address there is nothing: %j', (changes) => {
    expect(is({ ...protectedFacts, ...changes })).toBe('hide');
  });

  it('lets the first way to sign in that covers the host decide', () => {
    const password = { deploymentType: 'all' } as const;
    const ssoProtection = { deploymentType: 'all' } as const;
    expect(outcome({ passport, ssoProtection, password })).toEqual({ is: 'sign-in', connectorId: 'scl_1' });
    expect(outcome({ ssoProtection, password })).toEqual({ is: 'sign-in', connectorId: 'scl_platform' });
    expect(is({ passport: { ...passport, deploymentType: 'preview' }, password })).toBe('password');
    expect(by({ passport, password, session: valid })).toBe('passport');
  });

  it('shows no stranger a deployment that hides, by an issuer that cannot be read', () => {
    const because = 'It failed.';
    const unproven = { state: 'failed', because, code: 'trusted_sources_oidc_discovery_failed' } as const;
    const mismatch = { state: 'failed', because, code: 'trusted_sources_environment_mismatch' } as const;
    expect(is({ passport, trustedSource: unproven })).toBe('refuse');
    for (const mode of ['additional', 'exclusive'] as const) {
      const from = (isTrusted: boolean) => ({ passport, trustedIps: trustedIps(mode, isTrusted) });
      expect(is({ ...from(false), trustedSource: unproven })).toBe('hide');
      expect(is({ ...from(true), trustedSource: unproven })).toBe('refuse');
      // A secret still lets pass, and a workload of the team is told what is wrong.
      expect(is({ ...from(false), trustedSource: unproven, automationBypass: accepted })).toBe('pass');
      expect(is({ ...from(false), trustedSource: mismatch })).toBe('refuse');
    }
  });

  it('ends with a source that failed, and names its code', () => {
    const trustedSource = { state: 'failed', because: 'It failed.', code: 'forbidden' } as const;
    expect(outcome({ ...protectedFacts, trustedSource, automationBypass: accepted })).toEqual({
      is: 'refuse',
      code: 'forbidden',
    });
    expect(by({ ...protectedFacts, trustedSource, exceptions: ['a.example'] })).toBe('deployment-exception');
  });
});

describe('what is said of a request', () => {
  it('names the rules that were asked, and the session that let it pass', () => {
    const verdict = decide(facts({ passport, session: valid, shareLink: refused }));
    expect(verdict.outcome).toEqual({ is: 'pass', by: 'passport', sessionId: 'psid_1', personal: true });
    expect(verdict.rules.at(-1)).toMatchObject({ rule: 'passport', answer: { says: 'pass' } });
    expect(verdict.rules.find(({ rule }) => rule === 'share-link')?.answer).toEqual({
      says: 'continue',
      because: 'It is not.',
    });
  });

  it('is a session of nobody where a secret lets it pass', () => {
    for (const secret of ['trustedSource', 'automationBypass', 'shareLink'])
      expect(outcome({ passport, session: valid, [secret]: accepted })).toMatchObject({
        is: 'pass',
        sessionId: undefined,
        personal: true,
      });
  });

  it('is for everybody only where everybody passes', () => {
    const personal = (changes: Changes) => {
      const decided = outcome(changes);
      return decided.is === 'pass' && decided.personal;
    };
    expect(personal({})).toBe(false);
    expect(personal({ passport, exceptions: ['a.example'] })).toBe(false);
    expect(personal({ passport, optionsAllowlist: { state: 'listed', prefix: '/' } })).toBe(false);
    expect(personal({ trustedIps: trustedIps('additional', true) })).toBe(true);
    expect(personal({ trustedIps: trustedIps('exclusive', true) })).toBe(true);
    expect(personal({ trustedIps: { ...trustedIps('exclusive', false), deploymentType: 'preview' } })).toBe(
      false,
    );
  });

  it('leads a refused session to a new sign-in, and two sessions at once nowhere', () => {
    const ended = { state: 'refused', because: 'The session has ended.' } as const;
    const verdict = decide(facts({ passport, session: ended }));
    expect(verdict.outcome).toEqual({ is: 'sign-in', connectorId: 'scl_1' });
    expect(verdict.rules.at(-1)?.answer.because).toBe('The session has ended.');
    const session = { state: 'ambiguous', because: 'Two.' } as const;
    for (const way of [{ passport }, { ssoProtection: passport }, { password: passport }])
      expect(is({ ...way, session })).toBe('refuse');
    expect(is({ session })).toBe('pass');
  });
});

test.each([
  ['/api', '/api', true],
  ['/api/', '/api', true],
  ['/api/users', '/api', true],
  ['/api/users', '/api/', true],
  ['/api', '/api/', true],
  ['/apiary', '/api', false],
  ['/API', '/api', false],
  ['/', '/api', false],
  ['/anything/here', '/', true],
  ['/', '/', true],
  ['/api.json', '/api', false],
  ['/api/a:b,c=d@e', '/api', true],
  ['/api%2fx', '/api', false],
  ['/api%2Fx', '/', false],
  ['/%61pi', '/api', false],
  ['/api/%2e%2e/admin', '/api', false],
  ['/api/../admin', '/api', false],
  ['/api/..', '/api', false],
  ['/api/./x', '/api', false],
  ['/api/..;/admin', '/api', false],
  ['/api;x', '/api', false],
  ['/api//x', '/api', false],
  ['//api', '/', false],
  ['/api\\x', '/api', false],
  ['/api?x', '/api', false],
  ['/api/...', '/api', true],
])('whether %s is below %s: %s', (path, prefix, expected) => {
  expect(isBelow(path, prefix)).toBe(expected);
});
