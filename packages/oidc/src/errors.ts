/** Why no token could be had. Stable; the message says what to do. */
export type OidcTokenErrorCode =
  /** An option is missing, unknown or of another form. */
  | 'option'
  /** A base URL of the instance is needed and not set. */
  | 'not_configured'
  | 'no_token'
  | 'token_malformed'
  | 'token_expired'
  | 'token_file_unreadable'
  /** No `.vercel/project.json` here or above. */
  | 'not_linked'
  /** The token at hand is of another project than the linked one. */
  | 'project_mismatch'
  /** No login of the command line, one that has ended, or one at another instance than is asked for. */
  | 'not_logged_in'
  /** A file with a secret can be read by others. */
  | 'file_not_private'
  | 'refresh_failed'
  | 'exchange_failed'
  | 'aws_refused';

/** `getOidcToken` and what builds on it could not do what was asked. No message has a token in it. */
export class OidcTokenError extends Error {
  override readonly name = 'OidcTokenError';
  readonly code: OidcTokenErrorCode;

  constructor(code: OidcTokenErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Which check a token failed. Stable. */
export type OidcVerificationErrorCode =
  /** The options of the call itself: nothing was checked. */
  | 'option'
  | 'malformed'
  /** Another algorithm than RS256 or ES256. */
  | 'algorithm'
  /** Another kind of JWT (`typ`). */
  | 'type'
  /** The issuer publishes no such key. */
  | 'key'
  | 'signature'
  /** The key set could not be read: the token may be good, but nobody can tell. */
  | 'keys_unreachable'
  | 'issuer'
  | 'audience'
  | 'team'
  | 'project'
  | 'environment'
  | 'expired'
  | 'not_yet_valid'
  /** A claim that every token has is missing or of another type. */
  | 'claim';

/** A token that must not be trusted. No message has the token in it. */
export class OidcVerificationError extends Error {
  override readonly name = 'OidcVerificationError';
  readonly code: OidcVerificationErrorCode;

  constructor(code: OidcVerificationErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** A value from outside, as it may stand in a message: quoted and short. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
