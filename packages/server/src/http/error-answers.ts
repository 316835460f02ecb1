import { DatabaseUnavailable, OAuthError, PublicError, publicError, type OAuthErrorCode } from '#errors';
import type { DirectAnswer } from './direct.ts';
import type { DoorContext } from './door.ts';

export type Answer = {
  status: number;
  code: string;
  title: string;
  description: string;
  mend: string;
  headers: Record<string, string>;
  /** The caller's mistake, or ours: only ours is worth an error in the log. */
  ours: boolean;
};

const retryAfterSeconds = '5';

/** What may be said of any error. One that is not from the catalogue says nothing of itself. */
export function answerOf(error: unknown): Answer {
  if (error instanceof OAuthError) {
    const { status, error: code, description, headers } = error;
    return { status, code, title: code, description, mend: '', headers, ours: status >= 500 };
  }
  const known =
    error instanceof PublicError
      ? error
      : error instanceof DatabaseUnavailable
        ? publicError('unavailable', {
            description: 'The database does not answer.',
            headers: { 'retry-after': retryAfterSeconds },
          })
        : publicError('unexpected');
  const { status, code, title, description, mend, headers } = known;
  return { status, code, title, description, mend, headers, ours: status >= 500 };
}

/** Where nothing else is known of what was not found, the address that was asked for names it. */
function describeFor({ code, title, description }: Answer, { req }: DoorContext): string {
  return code === 'not_found' && description === title
    ? `There is nothing at ${req.path.slice(0, 200)}, or nothing that you may see.`
    : description;
}

/** RFC 9457 problem document. */
export function problemAnswer(error: unknown, context: DoorContext): Response {
  const answer = answerOf(error);
  const reference = context.get('reference');
  return Response.json(
    {
      type: `https://tessera.dev/problems/${answer.code}`,
      title: answer.title,
      status: answer.status,
      detail: describeFor(answer, context),
      code: answer.code,
      mend: answer.mend,
      reference,
      ...(error instanceof PublicError ? error.extension : {}),
    },
    {
      status: answer.status,
      headers: { ...answer.headers, 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
    },
  );
}

/** RFC 6749 section 5.2: `error` and `error_description`, with the request's reference beside them. */
export function oauthAnswerOf(error: unknown, reference: string): Required<DirectAnswer> {
  const answer = answerOf(error);
  return {
    status: answer.status,
    headers: {
      'content-type': 'application/json',
      ...answer.headers,
      'cache-control': 'no-store',
      pragma: 'no-cache',
    },
    body: JSON.stringify({
      error: error instanceof OAuthError ? error.error : oauthCodeOf(answer.status),
      error_description: printable(answer.description),
      reference,
    }),
  };
}

/** The same at a door. */
export function oauthAnswer(error: unknown, context: DoorContext): Response {
  const { status, headers, body } = oauthAnswerOf(error, context.get('reference'));
  return new Response(body, { status, headers });
}

function oauthCodeOf(status: number): OAuthErrorCode {
  if (status === 503) return 'temporarily_unavailable';
  return status >= 500 ? 'server_error' : 'invalid_request';
}

/** RFC 6749 section 5.2 allows %x20-21 / %x23-5B / %x5D-7E in a description. */
function printable(text: string): string {
  return text
    .replaceAll('"', "'")
    .replaceAll('\\', '/')
    .replaceAll(/[^\x20-\x7e]/g, '?');
}
