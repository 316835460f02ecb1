import type { MintPolicy, MintRule } from '@tessera/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideMint, isFork, type MintFacts } from './mint-policy.ts';

const push: MintFacts = {
  environment: 'production',
  branch: 'main',
  trigger: 'push',
  fork: false,
  interactive: false,
  audience: 'https://id.example.com/acme',
  isDefaultAudience: true,
};

function policyOf(...rules: readonly Partial<MintRule>[]): MintPolicy {
  return {
    mode: 'enforce',
    rules: rules.map((rule, index) => ({ name: `rule ${index}`, environments: ['production'], ...rule })),
  };
}

const allows = (policy: MintPolicy | null, facts: Partial<MintFacts> = {}) =>
  decideMint(policy, { ...push, ...facts }).allowed;

describe('a mint policy', () => {
  test('without rules refuses forks wherever something is deployed, and shells where more than a preview is', () => {
    const environments = ['production', 'preview', 'staging', 'development'];
    const outcomes = (facts: Partial<MintFacts>) =>
      environments.map((environment) => allows(null, { ...facts, environment }));
    expect(outcomes({})).toEqual([true, true, true, true]);
    expect(outcomes({ fork: true })).toEqual([false, false, false, true]);
    expect(outcomes({ interactive: true })).toEqual([false, true, false, true]);
  });

  test('a pull request counts as one of a fork until somebody says otherwise', () => {
    expect([
      isFork(undefined),
      isFork({}),
      isFork({ fork: false }),
      isFork({ fork: true }),
      isFork({ pullRequest: 7 }),
      isFork({ pullRequest: 7, fork: false }),
    ]).toEqual([false, false, false, true, true, false]);
  });

  test('a rule narrows the environments that it names, and no other', () => {
    const policy = policyOf({ branches: ['main', 'release/*'] });
    expect(allows(policy)).toBe(true);
    expect(allows(policy, { branch: 'release/7' })).toBe(true);
    for (const branch of [
      'feature',
      'release/7/8',
      'release/',
      'xmain',
      'main ',
      'MAIN',
      'main\n',
      'refs/heads/main',
      undefined,
    ]) {
      expect([branch, allows(policy, { branch })]).toEqual([branch, branch === 'release/']);
    }
    expect(allows(policy, { environment: 'preview', branch: 'feature' })).toBe(true);
    expect(allows(policy, { environment: 'preview', fork: true })).toBe(false);
  });

  test('characters of patterns stand for themselves', () => {
    for (const pattern of ['a.b', 'a+b', '(a)', '[ab]', 'a|b', '^a$', 'a\\d', 'a?', 'a-b', 'ä/{1}']) {
      expect(allows(policyOf({ branches: [pattern] }), { branch: pattern })).toBe(true);
      expect(allows(policyOf({ branches: [`${pattern}*`] }), { branch: `${pattern}x` })).toBe(true);
      expect(allows(policyOf({ branches: [`${pattern}*`] }), { branch: 'aab' })).toBe(false);
    }
    // A pattern of many stars takes no time worth the name.
    const started = performance.now();
    allows(policyOf({ branches: ['*a*a*a'] }), { branch: 'a'.repeat(256) + 'b' });
    expect(performance.now() - started).toBeLessThan(500);
  });

  test('one rule that fits is enough, and all that it names has to fit', () => {
    const policy = policyOf(
      { branches: ['main'], triggers: ['push'] },
      { branches: ['hotfix'], triggers: ['deploy-hook'] },
    );
    expect(allows(policy)).toBe(true);
    expect(allows(policy, { branch: 'hotfix', trigger: 'deploy-hook' })).toBe(true);
    expect(allows(policy, { branch: 'hotfix' })).toBe(false);
    expect(allows(policy, { trigger: undefined })).toBe(false);
    const { steps } = decideMint(policy, { ...push, branch: 'other' });
    expect(steps.map(({ rule, outcome }) => [rule, outcome])).toEqual([
      ['rule 0', 'refuses'],
      ['rule 1', 'refuses'],
    ]);
  });

  test('forks and shells need a rule that says so, beside all else that it says', () => {
    const policy = policyOf(
      { environments: ['production', 'preview'], branches: ['main'] },
      { environments: ['preview'], forks: true, triggers: ['pull-request'] },
      { interactive: true, branches: ['debug'] },
    );
    const fork = { environment: 'preview', fork: true, branch: 'main' };
    expect(allows(policy, fork)).toBe(false);
    expect(allows(policy, { ...fork, trigger: 'pull-request' })).toBe(true);
    expect(allows(policy, { ...fork, trigger: 'pull-request', environment: 'production' })).toBe(false);
    expect(allows(policy, { interactive: true })).toBe(false);
    expect(allows(policy, { interactive: true, branch: 'debug' })).toBe(true);
    expect(allows(policy, { interactive: true, branch: 'debug', fork: true })).toBe(false);
  });

  test('a rule may narrow audiences; the default one is always among them', () => {
    const policy = policyOf({ audiences: ['sts.amazonaws.com'] });
    expect(allows(policy)).toBe(true);
    expect(allows(policy, { audience: 'sts.amazonaws.com', isDefaultAudience: false })).toBe(true);
    expect(allows(policy, { audience: 'https://vault.example', isDefaultAudience: false })).toBe(false);
  });

  test('in audit mode nothing is opened and nothing closed, and what would be refused is said', () => {
    const audited: MintPolicy = { ...policyOf({ branches: ['main'], forks: true }), mode: 'audit' };
    expect(decideMint(audited, push)).toMatchObject({ allowed: true, wouldRefuse: undefined });
    const other = decideMint(audited, { ...push, branch: 'other' });
    expect(other.allowed).toBe(true);
    expect(other.wouldRefuse).toMatch(/^"rule 0": It is from the branch "other"\. Expected main\.$/);
    expect(decideMint(audited, { ...push, fork: true })).toMatchObject({ allowed: false });
  });

  // oxlint-disable-next-line vitest/expect-expect -- the property itself is the assertion
  test('no policy lets a fork or a shell pass that does not name it (federation-02, 14, 15)', () => {
    const rule = fc.record(
      {
        environments: fc.subarray(['production', 'preview', 'staging'], { minLength: 1 }),
        branches: fc.subarray(['main', 'release/*', '*-x'], { minLength: 1 }),
        triggers: fc.subarray(['push', 'schedule'], { minLength: 1 }),
        forks: fc.boolean(),
        interactive: fc.boolean(),
      },
      { requiredKeys: ['environments'] },
    );
    const facts = fc.record({
      environment: fc.constantFrom('production', 'preview', 'staging'),
      branch: fc.constantFrom('main', 'release/1', 'feature', undefined),
      trigger: fc.constantFrom('push', 'schedule', undefined),
      fork: fc.boolean(),
      interactive: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 4 }),
        fc.constantFrom('enforce' as const, 'audit' as const),
        facts,
        (rules, mode, asked) => {
          const policy = rules.length === 0 ? null : { ...policyOf(...rules), mode };
          const named = (policy?.rules ?? []).filter(
            ({ environments }) => mode === 'enforce' && environments.includes(asked.environment),
          );
          const needsShell = asked.interactive && asked.environment !== 'preview';
          return (
            !allows(policy, asked) ||
            ((!asked.fork || named.some(({ forks }) => forks === true)) &&
              (!needsShell || named.some(({ interactive }) => interactive === true)))
          );
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
