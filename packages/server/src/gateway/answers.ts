import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { DatabaseUnavailable, PublicError, publicError } from '#errors';
import { hasBody, hasGone, waitUntilTaken, writeHead, type RequestFacts } from '#http';
import { errorPage, inlinePage, type Layout } from '#pages';
import { valueOf } from './request/header-list.ts';
import type { SentRequest } from './request/sent-request.ts';

/** What an error answer adds to the error itself. */
export type AnswerExtras = {
  /** The reference of the sign-in attempt, where there is one; else the request's. */
  reference?: string;
  /** Where to go on, on the same host. */
  next?: { href: string; label: string };
  /** Where a person would sign in: a member for programs, a link on a page. */
  signInUrl?: string;
};

/** An error with what only the place it happened at knows. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly error: PublicError;
  readonly extras: AnswerExtras;

  constructor(error: PublicError, extras: AnswerExtras) {
    super(error.message, { cause: error });
    this.error = error;
    this.extras = extras;
  }
}

/** An answer of our own, whoever brings it to the visitor. */
export type OwnAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** `Set-Cookie` values, each a header of its own. */
  readonly cookies: readonly string[];
  readonly body: string;
};

/** Where somebody goes from here is not told what was asked here: it may have been a secret. */
const silent = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' };

export type Answers = ReturnType<typeof createAnswers>;

export function createAnswers(needs: {
  errorHeader: string;
  requestIdHeader: string;
  visitorIdleMilliseconds: number;
}) {
  /** With a flat list that is the answer's from here on, for who answers much. */
  function sendList(
    request: IncomingMessage,
    response: ServerResponse,
    { reference }: RequestFacts,
    { status, headers, body }: { status: number; headers: string[]; body: string },
  ): void {
    if (response.headersSent || hasGone(response)) {
      response.destroy();
      return;
    }
    headers.push(needs.requestIdHeader, reference);
    headers.push('content-length', String(Buffer.byteLength(body)));
    // A body that nobody will read must not hold the connection.
    if (!request.complete && hasBody(request)) headers.push('connection', 'close');
    writeHead(request, response, status, STATUS_CODES[status] ?? '', headers);
    response.end(request.method === 'HEAD' ? undefined : body);
    waitUntilTaken(response, needs.visitorIdleMilliseconds);
  }

  return {
    send(request: IncomingMessage, response: ServerResponse, facts: RequestFacts, answer: OwnAnswer): void {
      const headers = Object.entries(answer.headers).flat();
      for (const cookie of answer.cookies) headers.push('set-cookie', cookie);
      sendList(request, response, facts, { ...answer, headers });
    },

    sendList,

    /** A redirect to an address of ours or of the deployment's own host. */
    redirect(location: string, cookies: readonly string[]): OwnAnswer {
      return { status: 303, headers: { ...silent, location }, cookies, body: '' };
    },

    page(layout: Layout, cookies: readonly string[] = []): OwnAnswer {
      const { status, headers, body } = inlinePage(layout);
      return { status, headers: { 'cache-control': 'no-store', ...headers }, cookies, body };
    },

    /** A page for a browser that is to show one, JSON for everything else. Never more than the catalogue says. */
    error(
      request: SentRequest,
      facts: RequestFacts,
      thrown: unknown,
    ): { error: PublicError; answer: OwnAnswer } {
      const extras = thrown instanceof GatewayError ? thrown.extras : {};
      const error = toPublicError(thrown);
      const code = error.code.toUpperCase();
      const reference = extras.reference ?? facts.reference;
      const headers = { ...error.headers, ...silent, [needs.errorHeader]: code };
      const { status } = error;
      const { signInUrl } = extras;
      if (showsPage(request)) {
        const next =
          extras.next ??
          (signInUrl === undefined ? tryAgain(request, status) : { href: signInUrl, label: 'Sign in' });
        const page = errorPage({
          status,
          code,
          title: error.title,
          description: error.description,
          mend: error.mend,
          reference,
          ...(next === undefined ? {} : { next }),
        });
        return {
          error,
          answer: { status, headers: { ...page.headers, ...headers }, cookies: [], body: page.body },
        };
      }
      const body = {
        error: {
          code,
          message: error.description,
          mend: error.mend,
          ...(signInUrl === undefined ? {} : { signInUrl }),
        },
        reference,
      };
      return {
        error,
        answer: {
          status,
          headers: { ...headers, 'content-type': 'application/json' },
          cookies: [],
          body: JSON.stringify(body),
        },
      };
    },
  };
}

/** Closed whatever happened: what is not in the catalogue is a service that cannot answer, and tells nothing. */
function toPublicError(thrown: unknown): PublicError {
  if (thrown instanceof GatewayError) return thrown.error;
  if (thrown instanceof PublicError) return thrown;
  return publicError('unavailable', {
    description:
      thrown instanceof DatabaseUnavailable
        ? 'The database does not answer.'
        : 'The request could not be decided about.',
    headers: { 'retry-after': '5' },
    cause: thrown,
  });
}

/** The same address once more (an empty reference names it, RFC 3986 section 4.4), where the next answer may be another. */
function tryAgain({ method }: SentRequest, status: number): { href: string; label: string } | undefined {
  return method === 'GET' && status >= 502 && status <= 504 ? { href: '', label: 'Try again' } : undefined;
}

/** Whether somebody is about to see the answer, to a form as well: a script that accepts HTML shows nobody a page. */
function showsPage(request: SentRequest): boolean {
  const mode = valueOf(request.rawHeaders, 'sec-fetch-mode');
  return (mode === undefined || mode === 'navigate') && acceptsPage(request);
}

/** Whether a page is what the sender could show: browsers name HTML, programs do not. */
function acceptsPage({ rawHeaders }: SentRequest): boolean {
  const accepted = valueOf(rawHeaders, 'accept') ?? '';
  return /(?:^|,)\s*(?:text\/html|application\/xhtml\+xml)\s*(?:[;,]|$)/i.test(accepted);
}

/**
 * Whether a browser is about to show what it gets here: only then does a redirect to a sign-in lead a person there.
 * A prefetch is not one: nobody may ever look at it.
 */
export function isNavigation(request: SentRequest): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  const { rawHeaders } = request;
  const mode = valueOf(rawHeaders, 'sec-fetch-mode');
  if (mode !== undefined && mode !== 'navigate') return false;
  if (/prefetch/i.test(valueOf(rawHeaders, 'sec-purpose') ?? valueOf(rawHeaders, 'purpose') ?? ''))
    return false;
  return acceptsPage(request);
}
