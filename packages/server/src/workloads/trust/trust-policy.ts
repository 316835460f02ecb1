import {
  claimsProblem,
  permissionTable,
  type CreateTrustPolicy,
  type UpdateTrustPolicy,
} from '@tessera/contract';
import type { JWTPayload } from 'jose';

/** Which workload of another platform may become what in a team. */
export type TrustPolicy = CreateTrustPolicy & {
  id: string;
  teamId: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
  createdBy: string;
  updatedAt: number;
  /** The number of its changes. */
  revision: number;
  /** The number of those that ended what it gave. */
  grantRevision: number;
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

/**
 * Why what a policy gives is not given, in words. Projects bound only what is given for named projects: somebody who
 * names some must not believe that the rest stays within them.
 */
export function grantProblem({
  permissions,
  projectIds,
  builds,
}: Pick<CreateTrustPolicy, 'permissions' | 'projectIds' | 'builds'>): string | undefined {
  if (permissions.length === 0 && builds.length === 0) {
    return 'a policy that gives neither permissions nor builds is not made';
  }
  const perProject = permissions.filter((one) => permissionTable[one].grant === 'per-project');
  const [first] = perProject;
  if (projectIds.length === 0) {
    return first && `'projectIds' is empty: "${first}" is given for named projects`;
  }
  if (first === undefined) {
    return "'projectIds' bounds nothing here: none of the permissions is given for named projects, and 'builds' names its own; leave it out";
  }
  const unbounded = permissions.find((one) => !perProject.includes(one) && !one.endsWith(':read'));
  return (
    unbounded &&
    `"${unbounded}" holds in the whole team, whatever 'projectIds' names; give it in a policy of its own, without 'projectIds'`
  );
}

const inputFields = [
  'name',
  'issuer',
  'audience',
  'claims',
  'permissions',
  'projectIds',
  'builds',
  'tokenLifetimeSeconds',
] as const;

/** What somebody wrote, without what we added. */
export function inputOf(policy: CreateTrustPolicy): CreateTrustPolicy {
  const { name, issuer, audience, claims, permissions, projectIds, builds, tokenLifetimeSeconds } = policy;
  return { name, issuer, audience, claims, permissions, projectIds, builds, tokenLifetimeSeconds };
}

/** The policy with a change, and which of its fields differ. */
export function changedInput(before: TrustPolicy, change: UpdateTrustPolicy) {
  const given = Object.fromEntries(
    inputFields.flatMap((field) => (change[field] === undefined ? [] : [[field, change[field]]])),
  ) as Partial<CreateTrustPolicy>;
  const input = inputOf({ ...before, ...given });
  const names = inputFields.filter((field) => JSON.stringify(input[field]) !== JSON.stringify(before[field]));
  return { input, names };
}

/** Some of its fields, for the record of a change. */
export function fieldsOf(
  policy: TrustPolicy,
  names: readonly (keyof CreateTrustPolicy)[],
): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, policy[name]]));
}

/** What is allowed, and better not done. */
export function policyWarnings(policy: CreateTrustPolicy): string[] {
  const { issuer, audience, claims, permissions, projectIds } = policy;
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
  const inWholeTeam = permissions.filter((one) => permissionTable[one].grant !== 'per-project');
  if (projectIds.length > 0 && inWholeTeam.length > 0) {
    warnings.push(
      `${inWholeTeam.map((one) => `"${one}"`).join(', ')}: in the whole team, not only in the projects of 'projectIds'.`,
    );
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
