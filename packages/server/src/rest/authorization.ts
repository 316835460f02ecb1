import {
  featureOf,
  isAppPermission,
  permissionTable,
  rolesThatMay,
  roles,
  type Permission,
  type Role,
  type Route,
} from '@tessera/contract';
import { publicError, type PublicError } from '#errors';
import type { Authority } from './caller.ts';

/** What a permission is asked for. Without a project: whether it holds for any. */
export type AuthorizedObject = {
  projectId?: string | undefined;
  environment?: string | undefined;
  /** The object is a share link of a deployment of this environment. */
  shareLinkOf?: string | undefined;
};

export type Standing = {
  authority: Authority;
  /** The caller's present role in the team; undefined for calls that are about the caller alone. */
  role: Role | undefined;
  /** Whether the login behind the token still counts as fresh. */
  isFresh: boolean;
  hasFeature: (feature: 'passport') => boolean;
};

/**
 * Throws unless the caller may: what the token was given, and what the person's present role allows, and a fresh
 * login where the table asks for one. A permission of a feature that the team lacks is Not Found.
 */
export function authorize(permission: Permission, standing: Standing, object: AuthorizedObject = {}): void {
  const refusal = refusalOf(permission, standing, object);
  if (refusal !== undefined) throw refusal;
}

/** Whether a route may be tried at all; what hangs on the body or the object is decided when that is known. */
export function authorizeRoute(route: Route, standing: Standing): void {
  const { permission } = route;
  if (permission === 'none') return;
  if (typeof permission === 'string') {
    authorize(permission, standing);
  } else {
    const any = 'anyOf' in permission ? permission.anyOf : [...new Set(Object.values(permission.byField))];
    // Which fields are sent says whether a fresh login is needed at all.
    const asked = 'byField' in permission ? { ...standing, isFresh: true } : standing;
    // The best that the object could turn out to be: whoever may share previews alone may try.
    const refusals = any.map((one) => refusalOf(one, asked, { shareLinkOf: 'preview' }));
    if (refusals.every((refusal) => refusal !== undefined)) throw gravest(refusals);
  }
  if (route.fresh === true && !standing.isFresh) throw freshNeeded(route.name);
}

/** The fields of a body, each by its own permission. */
export function authorizeFields(route: Route, body: unknown, standing: Standing): void {
  const { permission } = route;
  if (typeof permission === 'string' || !('byField' in permission)) return;
  for (const field of Object.keys(body as object)) {
    const needed = permission.byField[field];
    // A field without a row would be a hole; the contract's test sees that there is none.
    if (needed === undefined)
      throw publicError('forbidden', { description: `Nobody may change "${field}".` });
    authorize(needed, standing);
  }
}

/**
 * The fields of a route's answer that this caller does not see: those whose permission the token was not given. Every
 * role may read them; and whoever may change something sees what it is.
 */
export function listUnread(
  { reads = {} }: Route,
  { permissions }: Pick<Authority['caller'], 'permissions'>,
): string[] {
  if (permissions === 'role') return [];
  return Object.entries(reads)
    .filter(
      ([, read]) =>
        !permissions.has(read) && !permissions.has(read.replace(/:read$/, ':write') as Permission),
    )
    .map(([field]) => field);
}

function refusalOf(
  permission: Permission,
  standing: Standing,
  object: AuthorizedObject,
): PublicError | undefined {
  const { authority, role, isFresh, hasFeature } = standing;
  const feature = featureOf(permission);
  if (feature !== undefined && !hasFeature(feature)) {
    return publicError('not_found', {
      description: 'The team does not have Passport.',
      mend: 'Ask an administrator of this instance to switch Passport on for the team.',
    });
  }
  if (permission === 'oidc-token:build') return refusalToBuild(authority, object);

  const cell = role === undefined ? cellOfEveryone(permission) : permissionTable[permission][role];
  const isPreviewLink = cell === 'share-links' && object.shareLinkOf === 'preview';
  if (cell !== 'may' && cell !== 'fresh' && !isPreviewLink) return roleRefused(permission, role);
  const { permissions, kind } = authority.caller;
  if (permissions !== 'role') {
    if (!permissions.has(permission)) return notGiven(permission);
    // Lists in the database are held against the table at each use: the table may have become stricter.
    const { grant } = permissionTable[permission];
    const isProgram = kind !== 'access-token';
    if (isProgram && grant !== 'if-given' && grant !== 'per-project') return notGiven(permission);
    if (kind === 'access-token' && !isAppPermission(permission)) return notGiven(permission);
    if (grant === 'per-project' && isProgram && !reaches(authority.projectIds, object.projectId)) {
      return publicError('forbidden', {
        description: `The token was not given "${permission}" for this project.`,
      });
    }
  }
  return cell === 'fresh' && !isFresh ? freshNeeded(permission) : undefined;
}

function refusalToBuild({ caller }: Authority, object: AuthorizedObject): PublicError | undefined {
  const { projectId, environment } = object;
  const isGiven = caller.builds.some(
    (build) =>
      (projectId === undefined || build.projectId === projectId) &&
      (environment === undefined || build.environment === environment),
  );
  return isGiven ? undefined : notGiven('oidc-token:build');
}

/** What concerns the caller alone is nobody's role: it holds where every role holds it. */
function cellOfEveryone(permission: Permission) {
  const row = permissionTable[permission];
  return roles.every((role) => row[role] === 'may') ? 'may' : 'no';
}

function reaches(projectIds: readonly string[], projectId: string | undefined): boolean {
  return projectId === undefined ? projectIds.length > 0 : projectIds.includes(projectId);
}

function roleRefused(permission: Permission, role: Role | undefined): PublicError {
  const may = rolesThatMay(permission).join(', ');
  return publicError('forbidden', {
    description: `The permission "${permission}" is needed. Your role${role === undefined ? '' : ` "${role}"`} does not hold it; these do: ${may}.`,
  });
}

function notGiven(permission: Permission): PublicError {
  const may = rolesThatMay(permission).join(', ') || 'nobody by role; an owner gives it to a token';
  return publicError('forbidden', {
    description: `The permission "${permission}" is needed. This token was not given it. Who may: ${may}.`,
  });
}

function freshNeeded(what: string): PublicError {
  return publicError('fresh_authentication_required', {
    description: `"${what}" needs a login of the last hours behind the token.`,
  });
}

/** Of several refusals the one that says most: Not Found hides the rest, and a login is easier than a new role. */
function gravest(refusals: readonly (PublicError | undefined)[]): PublicError {
  const known = refusals.filter((refusal) => refusal !== undefined);
  return (
    known.find(({ code }) => code === 'fresh_authentication_required') ??
    known.find(({ code }) => code === 'forbidden') ??
    known[0] ??
    publicError('forbidden')
  );
}
