import type { ZodObject, ZodType } from 'zod';
import type { Permission } from './permissions.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * What a caller must hold: nothing, one permission, one for each field that the body carries, or (the room then
 * decides by the object, such as a deployment's environment) at least one of several.
 */
export type RoutePermission =
  | 'none'
  | Permission
  | { readonly byField: Readonly<Record<string, Permission>> }
  | { readonly anyOf: readonly Permission[] };

/** One call of the REST API, as plain data: the server mounts it, the document describes it, the client calls it. */
export type Route = {
  readonly name: string;
  readonly method: Method;
  /** With `{parameters}`, as OpenAPI writes them. */
  readonly path: string;
  readonly summary: string;
  readonly permission: RoutePermission;
  /** Needs an authentication of the last minutes, beyond what the permission table says. */
  readonly fresh?: true;
  /** Where the team comes from: `?teamId=` or `?slug=`, the `{id}` of the path, or nowhere. */
  readonly team: 'query' | 'path' | 'none';
  readonly params?: ZodObject;
  readonly query?: ZodObject;
  readonly body?: ZodType;
  /** The body is a file of one of these media types, of at most so many bytes, instead of JSON. */
  readonly upload?: { readonly types: readonly string[]; readonly maximumBytes: number };
  /** The call may come without a body at all. */
  readonly bodyOptional?: true;
  readonly status: 200 | 201 | 204;
  readonly answer?: ZodType;
  /** Fields of what is answered (or of each of a list) that a token sees only if it was given to. */
  readonly reads?: Readonly<Record<string, Permission>>;
};

/** Keeps each route's own schema types, so that the client's answers are typed. */
export function listOf<const Routes extends readonly Route[]>(...routes: Routes): Routes {
  return routes;
}

/** Every permission that a route may ask for. */
export function permissionsOf(route: Route): readonly Permission[] {
  const { permission } = route;
  if (permission === 'none') return [];
  if (typeof permission === 'string') return [permission];
  return 'anyOf' in permission ? permission.anyOf : [...new Set(Object.values(permission.byField))];
}
