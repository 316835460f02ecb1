import type { Names } from './settings.ts';

/** Headers of the request that is being answered, in lower case. */
export type RequestHeaders = Readonly<Record<string, string | undefined>>;

/** What the platform, or the adapter of `@tessera/oidc/request-context`, says of the request; empty outside of one. */
export function readRequestContext(names: Names): RequestHeaders {
  const context = (globalThis as { [key: symbol]: unknown })[names.requestContext];
  const get = (context as { get?: () => { headers?: Record<string, unknown> } | undefined } | undefined)?.get;
  const headers = typeof get === 'function' ? get.call(context)?.headers : undefined;
  const read: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (typeof value === 'string' && value !== '') read[name.toLowerCase()] = value;
  }
  return read;
}
