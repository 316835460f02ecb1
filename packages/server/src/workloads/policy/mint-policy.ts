import type { MintPolicy, MintRule } from '@tessera/contract';
import type { GitFacts } from '../workload.ts';

/** What a decision rests on: of a token that is asked for, or of one that is to be exchanged. */
export type MintFacts = {
  environment: string;
  branch: string | undefined;
  trigger: string | undefined;
  fork: boolean;
  interactive: boolean;
  audience: string;
  /** Whether the audience is the one that nobody has to ask for. */
  isDefaultAudience: boolean;
};

export type MintStep = {
  rule: string;
  outcome: 'allows' | 'refuses' | 'would-refuse' | 'does-not-apply';
  why: string;
};

export type MintDecision = {
  allowed: boolean;
  steps: readonly MintStep[];
  /** What a policy in audit mode would have refused. */
  wouldRefuse: string | undefined;
};

/** Names of what holds without any rule; a rule's own name never has a colon. */
export const forksRule = 'always: forks';
export const interactiveRule = 'always: interactive';

/** The build of a pull request of which nobody says that it is none of a fork counts as one. */
export function isFork(git: GitFacts | null | undefined): boolean {
  return git?.fork ?? git?.pullRequest !== undefined;
}

/**
 * Whether a token may be made. Rules count for the environments that they name: there, one of them must allow it.
 * Without such a rule, and in audit mode, everything is allowed but builds of forks, and interactive ones where more
 * than a preview is at stake.
 */
export function decideMint(policy: MintPolicy | null | undefined, facts: MintFacts): MintDecision {
  const rules = policy?.rules ?? [];
  const applicable = rules.filter(({ environments }) => environments.includes(facts.environment));
  const others = rules
    .filter((rule) => !applicable.includes(rule))
    .map(({ name, environments }): MintStep => ({
      rule: name,
      outcome: 'does-not-apply',
      why: `It is about ${environments.join(', ')}.`,
    }));
  const standing = decideWithoutRules(facts);
  if (policy == null || applicable.length === 0) {
    const allowed = standing.every(({ outcome }) => outcome !== 'refuses');
    return { allowed, steps: [...standing, ...others], wouldRefuse: undefined };
  }
  const judged = applicable.map((rule): MintStep => {
    const misfit = misfitOf(rule, facts);
    return misfit === undefined
      ? { rule: rule.name, outcome: 'allows', why: 'All that it names fits.' }
      : { rule: rule.name, outcome: policy.mode === 'audit' ? 'would-refuse' : 'refuses', why: misfit };
  });
  const fits = judged.some(({ outcome }) => outcome === 'allows');
  if (policy.mode === 'enforce')
    return { allowed: fits, steps: [...judged, ...others], wouldRefuse: undefined };
  const allowed = standing.every(({ outcome }) => outcome !== 'refuses');
  return {
    allowed,
    steps: [...standing, ...judged, ...others],
    wouldRefuse: allowed && !fits ? describeSteps(judged) : undefined,
  };
}

/** The steps that stand against a token, in one sentence each. */
export function describeSteps(steps: readonly MintStep[]): string {
  return steps
    .filter(({ outcome }) => outcome === 'refuses' || outcome === 'would-refuse')
    .map(({ rule, why }) => `"${rule}": ${why}`)
    .join(' ');
}

function decideWithoutRules({ environment, fork, interactive }: MintFacts): MintStep[] {
  const isDevelopment = environment === 'development';
  return [
    fork && !isDevelopment
      ? { rule: forksRule, outcome: 'refuses', why: 'The build of a fork is code of strangers.' }
      : { rule: forksRule, outcome: 'allows', why: 'It is not the build of a fork.' },
    // Whatever is not a preview counts as production, so that a new environment never is an easier way in.
    interactive && !isDevelopment && environment !== 'preview'
      ? {
          rule: interactiveRule,
          outcome: 'refuses',
          why: `A person has a shell in this build, and "${environment}" is not a preview.`,
        }
      : {
          rule: interactiveRule,
          outcome: 'allows',
          why: 'It is not an interactive build of more than a preview.',
        },
  ];
}

/** What of a rule does not fit; undefined when all does. */
function misfitOf(rule: MintRule, facts: MintFacts): string | undefined {
  if (facts.fork && rule.forks !== true) return 'It is the build of a fork, and the rule allows none.';
  if (facts.interactive && rule.interactive !== true) {
    return 'A person has a shell in this build, and the rule allows no interactive ones.';
  }
  if (rule.branches !== undefined) {
    const { branch } = facts;
    const expected = `Expected ${rule.branches.join(' or ')}.`;
    if (branch === undefined) return `Nobody said from which branch it is. ${expected}`;
    if (!rule.branches.some((pattern) => matchesBranch(pattern, branch))) {
      return `It is from the branch "${branch}". ${expected}`;
    }
  }
  if (rule.triggers !== undefined && !rule.triggers.includes(facts.trigger ?? '')) {
    return `${facts.trigger === undefined ? 'Nobody said what set it off.' : `It was set off by "${facts.trigger}".`} Expected ${rule.triggers.join(' or ')}.`;
  }
  if (rule.audiences !== undefined && !facts.isDefaultAudience && !rule.audiences.includes(facts.audience)) {
    return `It is for the audience "${facts.audience}". Expected ${rule.audiences.join(' or ')}.`;
  }
  return undefined;
}

/** `*` stands for any characters within one part between slashes; a name of a branch cannot contain one. */
function matchesBranch(pattern: string, branch: string): boolean {
  if (!pattern.includes('*')) return pattern === branch;
  const source = pattern
    .split('*')
    .map((part) => part.replaceAll(/[$()+.?[\\\]^{|}]/g, String.raw`\$&`))
    .join('[^/]*');
  return new RegExp(`^${source}$`, 's').test(branch);
}
