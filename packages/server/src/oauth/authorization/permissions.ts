import { permissions, type Permission } from '@tessera/contract';

/** The permissions among scopes: what an app may do at our API, beside what it learns about the person. */
export function permissionsOf(scopes: readonly string[]): Permission[] {
  return permissions.filter((permission) => scopes.includes(permission));
}

/** Whether the person has to choose a team: all permissions but the one to see one's own profile are in a team. */
export function needsTeam(scopes: readonly string[]): boolean {
  return permissionsOf(scopes).some((permission) => permission !== 'user:read');
}
