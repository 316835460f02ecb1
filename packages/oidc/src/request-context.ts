import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import type { RequestHeaders } from './request-headers.ts';
import { namesOf } from './settings.ts';

/** Headers as Node, or as the web has them. */
export type HeadersSource =
  | Headers
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | undefined;

export type RequestContextOptions = {
  /** As `TESSERA_WIRE_PREFIX` says it; `vercel` unless set. */
  wirePrefix?: string | undefined;
};

export type RequestContext = {
  /** Runs what answers one request; inside of it, and of all that it awaits, the request's headers are known. */
  run<Result>(headers: HeadersSource, answer: () => Result): Result;
};

type Held = { headers: RequestHeaders };

/**
 * Sets `globalThis[Symbol.for('@vercel/request-context')]`, which `getOidcToken()`, `getIdentity()` and, unmodified,
 * `@vercel/oidc` and `@vercel/passport` read. It holds the `x-vercel-…` headers of the request alone: no cookie and no
 * credential of the visitor.
 *
 * Only behind the gateway: it removes what a client sent under these names. Reached around it, an app would believe
 * whoever sends them as far as it does not verify them.
 */
export function createRequestContext(options: RequestContextOptions = {}): RequestContext {
  const { storage, prefix } = install(options);
  return {
    run: (headers, answer) => storage.run({ headers: readHeaders(headers, prefix) }, answer),
  };
}

/**
 * The same for every server of this process that is built on `node:http`, whatever its framework: Next.js, Express,
 * Hono. Once, before the first request.
 */
export function registerRequestContext(options: RequestContextOptions = {}): void {
  const { storage, prefix } = install(options);
  // Published before the server's own listeners run, in the same turn: they and all that they await see the store.
  subscribe('http.server.request.start', (message) => {
    const { request } = message as { request: { headers: HeadersSource } };
    storage.enterWith({ headers: readHeaders(request.headers, prefix) });
  });
}

/**
 * For `http.createServer(withRequestContext(listener))`. What the listener awaits knows the request; a listener of an
 * event (`request.on('end', …)`) runs outside, as everywhere with `AsyncLocalStorage`.
 */
export function withRequestContext<Request extends { headers: HeadersSource }, Response>(
  listener: (request: Request, response: Response) => unknown,
  options?: RequestContextOptions,
): (request: Request, response: Response) => void {
  const context = createRequestContext(options);
  return (request, response) => void context.run(request.headers, () => listener(request, response));
}

/** For Express: `app.use(expressRequestContext())`, before what reads it. */
export function expressRequestContext(
  options?: RequestContextOptions,
): (request: { headers: HeadersSource }, response: unknown, next: () => void) => void {
  const context = createRequestContext(options);
  return (request, _response, next) => context.run(request.headers, next);
}

/** For Hono: `app.use(honoRequestContext())`, before what reads it. */
export function honoRequestContext(
  options?: RequestContextOptions,
): (c: { req: { raw: { headers: Headers } } }, next: () => Promise<void>) => Promise<void> {
  const context = createRequestContext(options);
  return (c, next) => context.run(c.req.raw.headers, next);
}

function install({ wirePrefix }: RequestContextOptions): {
  storage: AsyncLocalStorage<Held>;
  prefix: string;
} {
  const names = namesOf(wirePrefix);
  const storage = new AsyncLocalStorage<Held>();
  const place = globalThis as { [key: symbol]: { get?: () => unknown } | undefined };
  const before = place[names.requestContext];
  // What was there stays: the platform's own, or another copy of this module.
  place[names.requestContext] = { ...before, get: () => storage.getStore() ?? before?.get?.() };
  return { storage, prefix: `x-${names.prefix}-` };
}

function readHeaders(source: HeadersSource, prefix: string): RequestHeaders {
  const entries = source instanceof Headers ? [...source] : Object.entries(source ?? {});
  const read: Record<string, string> = {};
  for (const [name, value] of entries) {
    // A header that came more than once is no one's word: joined, it is refused by whoever verifies it.
    if (value === undefined || !name.toLowerCase().startsWith(prefix)) continue;
    read[name.toLowerCase()] = typeof value === 'string' ? value : value.join(', ');
  }
  return read;
}
