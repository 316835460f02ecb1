import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestFacts } from './door.ts';
import { oauthAnswerOf } from './error-answers.ts';
import { isHttp2 } from './http-version.ts';

/** A request to an endpoint that programs call: Node's own, with no router and no web objects around it (record 29). */
export type DirectCall = RequestFacts & {
  readonly method: string;
  /** Path and query, as they were sent. */
  readonly target: string;
  readonly incoming: IncomingMessage;
  /** By its name in lower case. What was sent twice is joined by a comma. */
  header(name: string): string | undefined;
  /** A header of the answer, whatever that will be. */
  setHeader(name: string, value: string): void;
};

export type DirectAnswer = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
};

type Handler = (call: DirectCall) => Promise<DirectAnswer>;

export type DirectRoute = {
  /** Below the base URL. */
  readonly path: string;
  readonly methods: Partial<Record<'GET' | 'POST', Handler>>;
  /** Scripts of any site may read the answers. */
  readonly forAnyOrigin: boolean;
};

export function jsonAnswer(value: object, status = 200, headers?: DirectAnswer['headers']): DirectAnswer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) };
}

/** Nothing there rests on a cookie, so a script gets no more than a program would: also when it is refused. */
export const readableByAnyOrigin = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'WWW-Authenticate, DPoP-Nonce',
};

/** The methods of a route, with those that HTTP brings along. */
export function methodsOf({ methods, forAnyOrigin }: DirectRoute): string[] {
  return [
    ...(methods.GET === undefined ? [] : ['HEAD']),
    ...Object.keys(methods),
    ...(forAnyOrigin ? ['OPTIONS'] : []),
  ];
}

/** A route, and what it does at the method that was asked for. */
export type FoundRoute = { readonly route: DirectRoute; readonly handler: Handler };

/** What a route does at a method; undefined for one that it does not have. */
export function handlerOf(route: DirectRoute, method: string): Handler | undefined {
  if (method === 'OPTIONS' && route.forAnyOrigin) return async () => preflightAnswer(route);
  if (method === 'POST') return route.methods.POST;
  return method === 'GET' || method === 'HEAD' ? route.methods.GET : undefined;
}

function preflightAnswer(route: DirectRoute): DirectAnswer {
  const allowed = [...Object.keys(route.methods), 'OPTIONS'].join(', ');
  return {
    status: 204,
    headers: {
      'access-control-allow-methods': allowed,
      'access-control-allow-headers': 'Authorization, Content-Type, DPoP',
      'access-control-max-age': '86400',
      allow: allowed,
    },
  };
}

/** Answers a call, a failure in the form of RFC 6749 section 5.2. */
export async function answerDirectly(
  { route, handler }: FoundRoute,
  { request, response, facts }: { request: IncomingMessage; response: ServerResponse; facts: RequestFacts },
  {
    defaults,
    logFailure,
  }: {
    /** What every answer says, unless it says otherwise itself. */
    defaults: Readonly<Record<string, string>>;
    logFailure: (failure: unknown, reference: string) => void;
  },
): Promise<void> {
  const headers: Record<string, string | number> = { ...defaults };
  let answer: DirectAnswer;
  try {
    answer = await handler({
      ...facts,
      method: request.method ?? '',
      target: request.url ?? '',
      incoming: request,
      header: (name) => request.headers[name] as string | undefined,
      setHeader: (name, value) => {
        headers[name] = value;
      },
    });
  } catch (failure) {
    logFailure(failure, facts.reference);
    answer = oauthAnswerOf(failure, facts.reference);
  }
  const { status, body = '' } = answer;
  if (route.forAnyOrigin) Object.assign(headers, readableByAnyOrigin);
  Object.assign(headers, answer.headers);
  // A header of one connection of HTTP/1 (RFC 9113 section 8.2.2).
  if (isHttp2(request)) delete headers['connection'];
  if (status !== 204) headers['content-length'] = Buffer.byteLength(body);
  response.writeHead(status, headers);
  response.end(body);
}
