import type { IncomingMessage, ServerResponse } from 'node:http';
import { DatabaseUnavailable, PublicError, publicError } from '#errors';
import { errorPage, inlinePage, type Layout } from '#pages';
import type { RequestFacts } from '#http';

/** What an error answer adds to the error itself. */
export type AnswerExtras = {
  /** The reference of the sign-in attempt, where there is one; else the request's. */
  reference?: string;
  /** Where to go on, on the same host. */
  next?: { href: string; label: string };
  /** For programs: where a person would sign in. */
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

/** Where somebody goes from here is not told what was asked here: it may have been a secret. */
const silent = { 'referrer-policy': 'no-referrer' };

export type Answers = ReturnType<typeof createAnswers>;

export function createAnswers(needs: { errorHeader: string; requestIdHeader: string }) {
  function send(
    request: IncomingMessage,
    response: ServerResponse,
    facts: RequestFacts,
    answer: { status: number; headers: Record<string, string | string[]>; body: string },
  ): void {
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    response.writeHead(answer.status, {
      'cache-control': 'no-store',
      ...answer.headers,
      [needs.requestIdHeader]: facts.reference,
      'content-length': Buffer.byteLength(answer.body),
      // A body that nobody will read must not hold the connection.
      ...(request.complete || !hasBody(request) ? {} : { connection: 'close' }),
    });
    response.end(request.method === 'HEAD' ? undefined : answer.body);
  }

  return {
    /** A redirect to an address of ours or of the deployment's own host. */
    redirect(
      request: IncomingMessage,
      response: ServerResponse,
      facts: RequestFacts,
      location: string,
      cookies: readonly string[],
    ): void {
      send(request, response, facts, {
        status: 303,
        headers: { ...silent, location, ...(cookies.length > 0 ? { 'set-cookie': [...cookies] } : {}) },
        body: '',
      });
    },

    page(
      request: IncomingMessage,
      response: ServerResponse,
      facts: RequestFacts,
      layout: Layout,
      cookies: readonly string[] = [],
    ): void {
      const page = inlinePage(layout);
      send(request, response, facts, {
        status: page.status,
        headers: { ...page.headers, ...(cookies.length > 0 ? { 'set-cookie': [...cookies] } : {}) },
        body: page.body,
      });
    },

    /** A page for a browser that is to show one, JSON for everything else. Never more than the catalogue says. */
    error(
      request: IncomingMessage,
      response: ServerResponse,
      facts: RequestFacts,
      thrown: unknown,
    ): PublicError {
      const extras = thrown instanceof GatewayError ? thrown.extras : {};
      const error = toPublicError(thrown);
      const code = error.code.toUpperCase();
      const reference = extras.reference ?? facts.reference;
      const headers = { ...error.headers, ...silent, [needs.errorHeader]: code };
      if (acceptsPage(request)) {
        const page = errorPage({
          status: error.status,
          code,
          title: error.title,
          description: error.description,
          mend: error.mend,
          reference,
          ...(extras.next === undefined ? {} : { next: extras.next }),
        });
        send(request, response, facts, {
          status: error.status,
          headers: { ...page.headers, ...headers },
          body: page.body,
        });
      } else {
        const { signInUrl } = extras;
        const body = {
          error: {
            code,
            message: error.description,
            mend: error.mend,
            ...(signInUrl === undefined ? {} : { signInUrl }),
          },
          reference,
        };
        send(request, response, facts, {
          status: error.status,
          headers: { ...headers, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
      }
      return error;
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

function hasBody(request: IncomingMessage): boolean {
  return (
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0
  );
}

/** Whether a page is what the sender wants to show: browsers name HTML, programs do not. */
export function acceptsPage(request: IncomingMessage): boolean {
  return /(?:^|,)\s*(?:text\/html|application\/xhtml\+xml)\s*(?:[;,]|$)/i.test(request.headers.accept ?? '');
}

/**
 * Whether a browser is about to show what it gets here: only then does a redirect to a sign-in lead a person there.
 * A prefetch is not one: nobody may ever look at it.
 */
export function isNavigation(request: IncomingMessage): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  const { 'sec-fetch-mode': mode, 'sec-purpose': purpose, purpose: oldPurpose } = request.headers;
  if (mode !== undefined && mode !== 'navigate') return false;
  if (/prefetch/i.test(String(purpose ?? oldPurpose ?? ''))) return false;
  return acceptsPage(request);
}
