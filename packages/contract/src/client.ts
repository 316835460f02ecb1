import type { z } from 'zod';
import { problemSchema, type Problem } from './problem.ts';
import { getRoute, type RouteName, type RouteOf } from './routes.ts';
import type { Route } from './route.ts';

type PartOf<R, Part extends 'params' | 'query' | 'body'> = R extends {
  readonly [P in Part]: infer Schema extends z.ZodType;
}
  ? Record<string, never> extends z.input<Schema>
    ? { [P in Part]?: z.input<Schema> }
    : { [P in Part]: z.input<Schema> }
  : Record<never, never>;
type UploadOf<R> = R extends { readonly upload: object }
  ? { upload: { type: string; bytes: Uint8Array<ArrayBuffer> } }
  : Record<never, never>;
type Inputs = {
  [Name in RouteName]: PartOf<RouteOf<Name>, 'params'> &
    PartOf<RouteOf<Name>, 'query'> &
    PartOf<RouteOf<Name>, 'body'> &
    UploadOf<RouteOf<Name>>;
};
type Answers = {
  [Name in RouteName]: RouteOf<Name> extends { readonly answer: infer Schema extends z.ZodType }
    ? z.output<Schema>
    : undefined;
};

/** What a call takes: `params`, `query` and `body` (or `upload`, a file), each optional where it has no required member. */
export type CallInput<Name extends RouteName> = Inputs[Name];
export type CallAnswer<Name extends RouteName> = Answers[Name];

export type ClientOptions = {
  /** The base URL of the api role. */
  readonly baseUrl: string;
  readonly token: string;
  readonly fetch?: typeof globalThis.fetch;
};

/** The server refused: its problem document. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(`${problem.code}: ${problem.detail}`);
    this.problem = problem;
  }
}

export type Client = <Name extends RouteName>(
  name: Name,
  ...input: object extends CallInput<Name> ? [input?: CallInput<Name>] : [input: CallInput<Name>]
) => Promise<CallAnswer<Name>>;

/**
 * A typed client of the REST API: `await call('projects.get', { params: { idOrName: 'site' } })`.
 * Throws `ProblemError` when the server refuses, and an `Error` when the answer is not one of ours.
 */
export function createClient({ baseUrl, token, fetch = globalThis.fetch }: ClientOptions): Client {
  return async <Name extends RouteName>(name: Name, input: Partial<Record<string, unknown>> = {}) => {
    const route: Route = getRoute(name);
    const { type, body } = contentOf(input);
    const response = await fetch(`${baseUrl}${pathOf(route, input['params'])}${searchOf(input['query'])}`, {
      method: route.method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        ...(type === undefined ? {} : { 'content-type': type }),
      },
      ...(body === undefined ? {} : { body }),
      redirect: 'error',
    });
    if (response.status === 204) return undefined as CallAnswer<Name>;
    const document: unknown = await response.json().catch(() => undefined);
    if (response.ok && document !== undefined) return document as CallAnswer<Name>;
    const problem = problemSchema.safeParse(document);
    if (problem.success) throw new ProblemError(problem.data);
    throw new Error(`${route.method} ${route.path} answered ${response.status} without a problem document`);
  };
}

function pathOf(route: Route, params: unknown): string {
  const values = (params ?? {}) as Record<string, string>;
  return route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''));
}

function searchOf(query: unknown): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries((query ?? {}) as Record<string, string | number | undefined>)) {
    if (value !== undefined) search.set(name, String(value));
  }
  return search.size === 0 ? '' : `?${search.toString()}`;
}

function contentOf(input: Partial<Record<string, unknown>>): {
  type?: string;
  body?: string | Uint8Array<ArrayBuffer>;
} {
  const upload = input['upload'] as { type: string; bytes: Uint8Array<ArrayBuffer> } | undefined;
  if (upload !== undefined) return { type: upload.type, body: upload.bytes };
  if (input['body'] === undefined) return {};
  return { type: 'application/json', body: JSON.stringify(input['body']) };
}
