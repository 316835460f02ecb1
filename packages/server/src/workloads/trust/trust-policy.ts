import { claimsProblem, type CreateTrustPolicy } from '@tessera/contract';
import type { JWTPayload } from 'jose';

/** Which workload of another platform may become what in a team. */
export type TrustPolicy = CreateTrustPolicy & {
  id: string;
  teamId: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
  createdBy: string;
};

export type ClaimCheck = { claim: string; matches: boolean; because: string };

/**
 * Why a policy is not saved, in words; undefined when it may be. These are the mistakes that let strangers into other
 * people's clouds: nothing that says who it is, and wildcards where the owner stands.
 */
export function policyProblem({
  issuer,
  claims,
}: Pick<CreateTrustPolicy, 'issuer' | 'claims'>): string | undefined {
  const names = ['aud', ...claims.map(({ name }) => name)];
  const unnamed = claimsProblem(issuer, names);
  if (unnamed !== undefined) return unnamed;
  for (const { name, values } of claims) {
    for (const { value, wildcards } of values) {
      const problem = wildcards ? wildcardProblem(value) : plainProblem(value);
      if (problem !== undefined) return `the value "${value}" of "${name}" ${problem}`;
    }
  }
  return undefined;
}

/** What is allowed, and better not done. */
export function policyWarnings({ issuer, audience, claims }: CreateTrustPolicy): string[] {
  const warnings: string[] = [];
  const isGitHub = URL.parse(issuer)?.host === 'token.actions.githubusercontent.com';
  if (isGitHub && audience.startsWith('https://github.com/')) {
    warnings.push(
      `"${audience}" is the audience that GitHub puts into every token: whoever receives one for another purpose could bring it here. Ask for an audience of this policy's own.`,
    );
  }
  const names = claims.map(({ name }) => name);
  const ofOwner = [
    'repository_owner',
    'repository_owner_id',
    'namespace_path',
    'namespace_id',
    'workspaceUuid',
  ];
  if (names.every((name) => ofOwner.includes(name))) {
    warnings.push(
      'Every repository of that owner may use it, forks and pull requests included: name the repository and the branch.',
    );
  }
  if (
    names.some((name) => ['repository', 'repository_owner', 'project_path', 'namespace_path'].includes(name))
  ) {
    warnings.push('Names can be given up and registered by somebody else: the ids beside them cannot.');
  }
  if (claims.some(({ values }) => values.some(({ wildcards }) => wildcards))) {
    warnings.push('A wildcard also matches what is named so later.');
  }
  return warnings;
}

/** A `*` stands for anything within one segment, so what stands before the first one must say whose the rest is. */
function wildcardProblem(value: string): string | undefined {
  const star = value.indexOf('*');
  if (star === -1) return 'says that it has wildcards, and has none';
  const segments = value.slice(0, star).match(/[^:/]+[:/]/g) ?? [];
  const isOwned = segments.length >= 2 || segments.some((segment) => segment.endsWith('/'));
  return isOwned
    ? undefined
    : 'has a wildcard where its owner stands; write the owner out, as in "repo:acme/*" or "refs/heads/*"';
}

function plainProblem(value: string): string | undefined {
  return value.includes('*')
    ? 'has a "*", which stands for itself unless the value says "wildcards": true'
    : undefined;
}

/** Each line of a policy, held against verified claims. AND over claims, OR over values. */
export function checkClaims({ audience, claims: wanted }: TrustPolicy, claims: JWTPayload): ClaimCheck[] {
  const audiences = [claims.aud].flat();
  return [
    {
      claim: 'aud',
      matches: audiences.includes(audience),
      because: audiences.includes(audience) ? 'It is the audience of the policy.' : `Expected "${audience}".`,
    },
    ...wanted.map(({ name, values }) => {
      const given = Object.hasOwn(claims, name) ? claims[name] : undefined;
      const items = [given].flat().filter((item): item is string => typeof item === 'string');
      const matches = items.some((item) => values.some((value) => matchesValue(value, item)));
      return { claim: name, matches, because: reasonOf(matches, given) };
    }),
  ];
}

function reasonOf(matches: boolean, given: unknown): string {
  if (matches) return 'One of its values matches.';
  if (given === undefined) return 'The token has no such claim.';
  return 'The token has the claim, with none of these values.';
}

function matchesValue({ value, wildcards }: { value: string; wildcards: boolean }, item: string): boolean {
  if (!wildcards) return item === value;
  const pattern = value.split('*').map(escapePattern).join('[^:/]*');
  return new RegExp(`^${pattern}$`, 'u').test(item);
}

function escapePattern(text: string): string {
  return text.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`);
}
