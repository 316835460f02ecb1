// RFC 6749, 3.3: %x21 / %x23-5B / %x5D-7E
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** Scopes about the person: what an app may learn, and whether it may stay signed in. */
export const identityScopes = ['openid', 'profile', 'email', 'offline_access'] as const;
export type IdentityScope = (typeof identityScopes)[number];

/**
 * A `scope` parameter as a list without repetitions, in the order sent (RFC 6749, 3.3); undefined when it is
 * malformed.
 */
export function parseScope(scope: string): string[] | undefined {
  const names = scope.split(' ').filter((name) => name !== '');
  return names.every((name) => SCOPE_TOKEN.test(name)) ? [...new Set(names)] : undefined;
}

export function formatScope(scopes: readonly string[]): string {
  return scopes.join(' ');
}

/** Whether every one of `scopes` is among `allowed`. */
export function isWithin(scopes: readonly string[], allowed: readonly string[]): boolean {
  return scopes.every((scope) => allowed.includes(scope));
}
