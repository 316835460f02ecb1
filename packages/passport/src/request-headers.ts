import { PassportError } from './errors.ts';
import type { Names } from './environment.ts';

/** Headers as Node, or as the web has them. */
export type HeadersSource = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/** What a framework hands over: a request of Node or of the web, or its headers alone. */
export type RequestSource = HeadersSource | { readonly headers: HeadersSource };

/**
 * The header that the gateway sets, of the given request or of the one that is being answered; undefined when it is
 * not there, and '' when it says that nobody signed in.
 */
export function readTokenHeader(source: RequestSource | undefined, names: Names): string | undefined {
  const headers = source === undefined ? contextHeaders(names) : headersOf(source);
  if (headers === undefined) return undefined;
  if (headers instanceof Headers) return headers.get(names.tokenHeader) ?? undefined;
  const found = Object.entries(headers).filter(
    ([name, value]) => name.toLowerCase() === names.tokenHeader && value !== undefined,
  );
  const [only] = found;
  if (only === undefined) return undefined;
  if (found.length === 1 && typeof only[1] === 'string') return only[1];
  throw new PassportError('malformed', `The header ${names.tokenHeader} came more than once.`);
}

function headersOf(source: RequestSource): HeadersSource {
  const { headers } = source as { headers?: unknown };
  // A header may be called `headers`; what has headers of its own is a request.
  return typeof headers === 'object' && headers !== null && !(source instanceof Headers)
    ? (headers as HeadersSource)
    : (source as HeadersSource);
}

function contextHeaders(names: Names): HeadersSource | undefined {
  const context = (globalThis as { [key: symbol]: unknown })[names.requestContext];
  const get = (context as { get?: () => { headers?: HeadersSource } | undefined } | undefined)?.get;
  return typeof get === 'function' ? get.call(context)?.headers : undefined;
}
