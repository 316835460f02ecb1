import { errorCatalogue, type ErrorCode } from './catalogue.ts';

export type PublicErrorOptions = {
  /** What was received and what was expected; shown to the caller, so never a secret. */
  description?: string;
  /** What to do about it, where the catalogue's own advice is too general. */
  mend?: string;
  headers?: Record<string, string>;
  /** Members of the problem document beyond the standard ones (RFC 9457 section 3.2). */
  extension?: Readonly<Record<string, unknown>>;
  cause?: unknown;
};

/** An error whose text may be shown; its cause is for the log alone. */
export class PublicError extends Error {
  override readonly name = 'PublicError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly title: string;
  readonly description: string;
  readonly mend: string;
  readonly headers: Record<string, string>;
  readonly extension: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, options: PublicErrorOptions = {}) {
    const entry = errorCatalogue[code];
    const description = options.description ?? entry.title;
    super(`${code}: ${description}`, { cause: options.cause });
    this.code = code;
    this.status = entry.status;
    this.title = entry.title;
    this.description = description;
    this.mend = options.mend ?? entry.mend;
    this.headers = options.headers ?? {};
    this.extension = options.extension ?? {};
  }
}

/** Makes an error of the catalogue, for the caller to throw. */
export function publicError(code: ErrorCode, options?: PublicErrorOptions): PublicError {
  return new PublicError(code, options);
}

/**
 * Codes of the IANA registry "OAuth Extensions Error": RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750 section 3.1,
 * RFC 7009 section 2.2.1, RFC 7591 section 3.2.2, RFC 8628 section 3.5, RFC 8693 section 2.2.2, RFC 9449 section 5, OpenID Connect Core
 * section 3.1.2.6.
 */
export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'unsupported_response_type'
  | 'unsupported_token_type'
  | 'invalid_scope'
  | 'invalid_target'
  | 'access_denied'
  | 'server_error'
  | 'temporarily_unavailable'
  | 'login_required'
  | 'consent_required'
  | 'interaction_required'
  | 'unmet_authentication_requirements'
  | 'account_selection_required'
  | 'request_not_supported'
  | 'request_uri_not_supported'
  | 'registration_not_supported'
  | 'invalid_request_uri'
  | 'invalid_request_object'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'authorization_pending'
  | 'slow_down'
  | 'expired_token'
  | 'invalid_redirect_uri'
  | 'invalid_client_metadata'
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce';

export type OAuthErrorOptions = { status?: number; headers?: Record<string, string>; cause?: unknown };

/** An error in the words of OAuth: `error` and `error_description` as they go over the wire. */
export class OAuthError extends Error {
  override readonly name = 'OAuthError';
  readonly error: OAuthErrorCode;
  readonly description: string;
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(error: OAuthErrorCode, description: string, options: OAuthErrorOptions = {}) {
    super(`${error}: ${description}`, { cause: options.cause });
    this.error = error;
    this.description = description;
    this.status = options.status ?? (error === 'invalid_client' || error === 'invalid_token' ? 401 : 400);
    this.headers = options.headers ?? {};
  }
}

/** Makes an OAuth error, for the caller to throw. The status defaults to 400 (401 for a failed authentication). */
export function oauthError(
  error: OAuthErrorCode,
  description: string,
  options?: OAuthErrorOptions,
): OAuthError {
  return new OAuthError(error, description, options);
}

/** The database did not answer: doors answer 503 with `Retry-After`, and nothing opens. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable';
}
