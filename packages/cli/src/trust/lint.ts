import { isValidName, parseWorkloadSubject } from '@tessera/protocol';
import {
  error,
  warning,
  type Condition,
  type Finding,
  type Grant,
  type TrustConfiguration,
} from './condition.ts';

/** What the caller knows of the issuer. */
export type ExpectedIssuer = {
  /** The one that the configuration should name. */
  issuer?: string | undefined;
  /** It is the issuer of all teams, whatever stands last in its path. */
  isGlobal?: boolean | undefined;
};

/** The known mistakes of a configuration. */
export function lintTrust(
  { grants, findings }: TrustConfiguration,
  { issuer, isGlobal }: ExpectedIssuer = {},
): Finding[] {
  const teamOf = (named: string) => (isGlobal ? undefined : teamOfIssuer(named));
  const nothing = error(
    'no-grant',
    'configuration',
    'It lets no workload in: no statement, credential or rule was found.',
  );
  return [
    ...(grants.length === 0 && findings.length === 0 ? [nothing] : []),
    ...findings,
    ...grants.flatMap((grant) => lintGrant(grant, issuer, teamOf)),
  ];
}

type TeamOf = (issuer: string) => string | undefined;

function lintGrant(grant: Grant, expected: string | undefined, teamOf: TeamOf): Finding[] {
  const of = (...claims: string[]) => grant.conditions.filter(({ claim }) => claims.includes(claim));
  return [
    ...grant.conditions.flatMap(lintCondition),
    ...lintIssuer(of('iss'), grant.line, expected),
    ...(of('aud').some(isNarrow)
      ? []
      : [
          error(
            'no-audience',
            grant.line,
            'No audience is compared: a token for any other receiver is taken. Name one of your own.',
          ),
        ]),
    ...lintIdentity(grant, teamOf),
  ];
}

function lintCondition({ line, claim, match, values }: Condition): Finding[] {
  if (match === 'unread') {
    return [
      error(
        'not-understood',
        line,
        'This cannot be read, so it proves nothing. Compare whole values, as `trust print` does.',
      ),
    ];
  }
  if (values.length === 0)
    return [error('no-value', line, `Nothing is listed for ${claim}: say whom you trust.`)];
  return values.flatMap((value): Finding[] => {
    if (!/[*?]/.test(value)) return claim === 'sub' ? lintSubject(line, value) : lintName(line, claim, value);
    if (match === 'exact') {
      return [
        error(
          'literal-wildcard',
          line,
          `${JSON.stringify(value)} is compared letter by letter here and never fits.`,
        ),
      ];
    }
    if (claim === 'environment' || (claim === 'sub' && reachesEnvironments(value))) {
      return [
        error(
          'wildcard-environment',
          line,
          `${JSON.stringify(value)} takes previews, whose code others may write. List each environment.`,
        ),
      ];
    }
    return [
      error(
        'wildcard',
        line,
        `${JSON.stringify(value)} takes names that you do not know yet. List each in full.`,
      ),
    ];
  });
}

/** A `*` goes over colons: whatever stands left of the environment takes it in, too, unless the end is written out. */
function reachesEnvironments(pattern: string): boolean {
  const [, environment] = /:environment:([^:]*)$/.exec(pattern) ?? [];
  return environment === undefined || /[*?]/.test(environment);
}

function lintSubject(line: string, value: string): Finding[] {
  const subject = parseWorkloadSubject(value);
  if (subject === undefined) {
    return [
      error(
        'not-a-subject',
        line,
        `${JSON.stringify(value)} is no subject of a workload: expected owner:…:project:…:environment:…`,
      ),
    ];
  }
  if (subject.form === 'ids') return [];
  return [
    warning(
      'name-not-id',
      line,
      'The subject is by names and fits no more after a rename. The form with ids ("subjectForm": "ids") stays.',
    ),
  ];
}

function lintName(line: string, claim: string, value: string): Finding[] {
  if (claim === 'project' || claim === 'owner') {
    return [
      warning(
        'name-not-id',
        line,
        `${JSON.stringify(value)} is a name and fits no more after a rename; ${claim}_id stays.`,
      ),
    ];
  }
  const prefix = claim === 'project_id' ? 'prj_' : claim === 'owner_id' ? 'team_' : '';
  if (value.startsWith(prefix)) return [];
  return [
    error(
      'name-not-id',
      line,
      `${claim} is ${JSON.stringify(value)}, a name; expected an id that begins with ${prefix}`,
    ),
  ];
}

function lintIssuer(conditions: readonly Condition[], line: string, expected: string | undefined): Finding[] {
  if (!conditions.some(isNarrow)) {
    return [error('no-issuer', line, 'No issuer is compared: name it exactly as it stands in iss.')];
  }
  return conditions.flatMap((condition) =>
    condition.values.flatMap((issuer): Finding[] => {
      const problem = issuerProblem(issuer);
      return [
        ...(problem === undefined
          ? []
          : [error('issuer-url', condition.line, `${JSON.stringify(issuer)} ${problem}`)]),
        ...(expected === undefined || issuer === expected
          ? []
          : [
              error(
                'swapped-issuer',
                condition.line,
                `It trusts ${JSON.stringify(issuer)}; expected ${JSON.stringify(expected)}.`,
              ),
            ]),
      ];
    }),
  );
}

function issuerProblem(issuer: string): string | undefined {
  if (!URL.canParse(issuer)) return 'is no URL.';
  const url = new URL(issuer);
  if (url.protocol !== 'https:')
    return 'is not https: others on the way could answer with keys of their own.';
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    return 'has more than host and path.';
  }
  if (issuer.endsWith('/')) return 'ends with a slash; iss has none, and is compared letter by letter.';
  return url.origin === issuer || url.href === issuer ? undefined : `is not in its plain form (${url.href}).`;
}

/**
 * The team whose issuer this seems to be; undefined for the global one. The last part of its path is no team's slug
 * where it is /oidc, or nothing; at another path an instance has to be told about (`isGlobal`).
 */
export function teamOfIssuer(issuer: string): string | undefined {
  if (!URL.canParse(issuer)) return undefined;
  const last = new URL(issuer).pathname.split('/').at(-1) ?? '';
  return isValidName(last) ? last : undefined;
}

function lintIdentity({ line, conditions }: Grant, teamOf: TeamOf): Finding[] {
  const has = (...claims: string[]) =>
    conditions.some((each) => claims.includes(each.claim) && isNarrow(each));
  const teams = conditions
    .filter(({ claim }) => claim === 'iss')
    .flatMap(({ values }) => values)
    .map(teamOf);
  const global = teams.includes(undefined);
  if (conditions.some(({ claim }) => claim === 'sub')) return lintTeams(conditions, teams);
  if (!has('project', 'project_id')) {
    const code = global
      ? 'global-issuer-without-subject'
      : has('aud') && !has('environment')
        ? 'audience-only'
        : 'no-subject';
    const whom = global ? 'every team of the instance' : 'every project of the team';
    return [error(code, line, `No subject is compared: ${whom} is let in. Compare sub.`)];
  }
  return [
    ...(global && !has('project_id', 'owner', 'owner_id')
      ? [
          error(
            'global-issuer-without-subject',
            line,
            'The issuer signs for every team, and each may have a project of this name. Compare sub.',
          ),
        ]
      : []),
    ...(conditions.some(({ claim }) => claim === 'environment')
      ? []
      : [
          error(
            'no-environment',
            line,
            'No environment is compared: previews are let in. Compare sub, or environment.',
          ),
        ]),
    ...lintTeams(conditions, teams),
  ];
}

/** A team's own issuer signs for no other team: then the issuer, or the subject, is another one's. */
function lintTeams(conditions: readonly Condition[], teams: readonly (string | undefined)[]): Finding[] {
  const named = conditions.flatMap(({ claim, line, values }) =>
    values.flatMap((value) => {
      const owner =
        claim === 'owner' ? value : claim === 'sub' ? /^owner:([^:*?]+):/.exec(value)?.[1] : undefined;
      return owner === undefined ? [] : [{ line, owner }];
    }),
  );
  return named
    .filter(({ owner }) => teams.length > 0 && teams.every((team) => team !== undefined && team !== owner))
    .map(({ line, owner }) =>
      error(
        'swapped-issuer',
        line,
        `It is of the team ${owner}, but the issuer is the one of ${teams.join(', ')}.`,
      ),
    );
}

function isNarrow({ match, values }: Condition): boolean {
  return match !== 'unread' && values.length > 0;
}
