/** Roles of a member in a team. */
export const roles = ['owner', 'member', 'developer', 'security', 'viewer'] as const;
export type Role = (typeof roles)[number];

/**
 * `fresh`: only with an authentication of the last minutes. `share-links`: only share links of previews.
 */
export type Cell = 'may' | 'fresh' | 'no' | 'share-links';

/**
 * Whether the permission can be named in an API token or a trust policy: not at all, if given, if given for named
 * projects, if an owner gives it for named projects and environments, or only to apps by a person's consent.
 */
export type GrantCell = 'no' | 'if-given' | 'per-project' | 'per-environment' | 'by-consent';

type Row = Readonly<Record<Role, Cell>> & { readonly grant: GrantCell; readonly words: string };

function row(cells: readonly [Cell, Cell, Cell, Cell, Cell], grant: GrantCell, words: string): Row {
  const [owner, member, developer, security, viewer] = cells;
  return { owner, member, developer, security, viewer, grant, words };
}

const everyone = ['may', 'may', 'may', 'may', 'may'] as const;
const ownerAlone = ['fresh', 'no', 'no', 'no', 'no'] as const;
const builders = ['may', 'may', 'no', 'no', 'no'] as const;
const guards = ['may', 'may', 'no', 'may', 'no'] as const;
const freshGuards = ['fresh', 'no', 'no', 'fresh', 'no'] as const;

/** The table of permissions.md: who may do what. Columns: owner, member, developer, security, viewer. */
export const permissionTable = {
  'team:read': row(everyone, 'if-given', 'See the team, its name and settings'),
  'team:write': row(ownerAlone, 'no', 'Change the name, slug and issuer settings of the team'),
  'member:read': row(everyone, 'if-given', 'See who is in the team'),
  'member:write': row(ownerAlone, 'no', 'Invite and remove members and change their roles'),
  'project:read': row(everyone, 'if-given', 'See the projects of the team'),
  'project:write': row(builders, 'if-given', 'Create, rename and delete projects'),
  'deployment:read': row(everyone, 'if-given', 'See deployments and their hosts'),
  'deployment:write:production': row(builders, 'per-project', 'Create and delete production deployments'),
  'deployment:write:preview': row(
    ['may', 'may', 'may', 'no', 'no'],
    'per-project',
    'Create and delete preview deployments',
  ),
  'oidc-token:development': row(
    ['may', 'may', 'may', 'no', 'no'],
    'no',
    'Get identity tokens for your own development machine',
  ),
  'oidc-token:build': row(
    ['no', 'no', 'no', 'no', 'no'],
    'per-environment',
    'Get identity tokens for builds of named projects and environments',
  ),
  'federation:read': row(everyone, 'if-given', 'See how workload tokens are made and what trusts them'),
  'federation:write': row(freshGuards, 'no', 'Change workload tokens, audiences and trust policies'),
  'passport:read': row(everyone, 'if-given', 'See the Passport settings'),
  'passport:write': row(guards, 'if-given', 'Change who may open deployments through Passport'),
  'protection:read': row(everyone, 'if-given', 'See how deployments are protected'),
  'protection:write': row(guards, 'if-given', 'Change how deployments are protected'),
  'protection-bypass:write': row(
    ['may', 'may', 'share-links', 'may', 'no'],
    'if-given',
    'Make secrets and links that pass the protection',
  ),
  'connector:read': row(guards, 'if-given', 'See identity provider applications, never their secrets'),
  'connector:write': row(freshGuards, 'no', 'Add, change and delete identity provider applications'),
  'connector:test': row(freshGuards, 'no', 'Test identity provider applications'),
  'visitor:read': row(guards, 'if-given', 'See who has signed in to deployments'),
  'visitor:end': row(guards, 'if-given', 'Sign visitors out of deployments'),
  'app:read': row(everyone, 'if-given', 'See the apps of the team'),
  'app:write': row(builders, 'if-given', 'Create and change apps, their callbacks and scopes'),
  'app-secret:write': row(['fresh', 'fresh', 'no', 'fresh', 'no'], 'no', 'Make and delete secrets of apps'),
  'app:invalidate': row(['fresh', 'fresh', 'no', 'fresh', 'no'], 'no', 'End all tokens of an app'),
  'api-token:write': row(
    ['fresh', 'fresh', 'fresh', 'fresh', 'no'],
    'no',
    'Make and revoke your own API tokens',
  ),
  'sign-in:read': row(guards, 'if-given', 'See sign-in attempts and why they failed'),
  'audit:read': row(['may', 'no', 'no', 'may', 'no'], 'if-given', 'Read the audit log'),
  'user:read': row(everyone, 'by-consent', 'See your own profile'),
  'user:write': row(everyone, 'no', 'Change your own profile, and found teams'),
} as const satisfies Record<string, Row>;

export type Permission = keyof typeof permissionTable;

/** Every permission name, in the order of the table. */
export const permissions = Object.keys(permissionTable) as [Permission, ...Permission[]];

/**
 * Whether an app may ask people for it: what a token may be given, and what only consent gives. Never what needs a
 * fresh login, nor what builders alone may.
 */
export function isAppPermission(permission: Permission): boolean {
  return ['if-given', 'per-project', 'by-consent'].includes(permissionTable[permission].grant);
}

/** The roles that hold a permission, with or without a fresh authentication: what a refusal tells the caller. */
export function rolesThatMay(permission: Permission): Role[] {
  return roles.filter((role) => ['may', 'fresh'].includes(permissionTable[permission][role]));
}

/** The feature a team must have for a permission to exist at all: without it everything under it is Not Found. */
export function featureOf(permission: Permission): 'passport' | undefined {
  return /^(passport|connector):/.test(permission) ? 'passport' : undefined;
}
