const NAME = /^[a-z0-9]([a-z0-9._-]{0,98}[a-z0-9])?$/;
const ID_BEGINNINGS = ['team_', 'prj_', 'dpl_', 'scl_', 'cl_', 'usr_'] as const;

/** Words that are, or may become, paths, roles or forms of our own; never the slug or name of something. */
export const reservedWords: ReadonlySet<string> = new Set([
  '.well-known',
  'account',
  'admin',
  'api',
  'app',
  'apps',
  'assets',
  'callback',
  'connect',
  'connector',
  'console',
  'consent',
  'dashboard',
  'decide',
  'device',
  'docs',
  'environment',
  'favicon.ico',
  'global',
  'health',
  'jwks',
  'login',
  'logout',
  'metrics',
  'new',
  'null',
  'oauth',
  'oidc',
  'owner',
  'owner_id',
  'passport',
  'principal',
  'project',
  'projects',
  'settings',
  'setup',
  'signup',
  'static',
  'support',
  'system',
  'team',
  'teams',
  'token',
  'undefined',
  'user',
  'users',
  'well-known',
  'www',
]);

/** Why a slug, project or environment name is refused, in words; undefined when it is fine. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (name.length > 100) return `it has ${name.length} characters, at most 100 are allowed`;
  if (!NAME.test(name)) {
    return 'only lower-case letters, digits, dots, underscores and hyphens are allowed, and it begins and ends with a letter or digit';
  }
  const beginning = ID_BEGINNINGS.find((id) => name.startsWith(id));
  if (beginning !== undefined) return `it begins with "${beginning}" like an id`;
  if (reservedWords.has(name)) return `"${name}" is a reserved word`;
  return undefined;
}

/** Whether a string can be a team's slug, a project's or an environment's name (overview.md, Names). */
export function isValidName(name: string): boolean {
  return nameProblem(name) === undefined;
}
