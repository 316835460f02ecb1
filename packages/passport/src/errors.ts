/** Which check failed. Stable. */
export type PassportErrorCode =
  /** The options of the call itself: nothing was checked. */
  | 'option'
  /** A test identity was asked for where real visitors come. */
  | 'test_identity_refused'
  | 'no_token'
  | 'malformed'
  /** Another algorithm than RS256 or ES256. */
  | 'algorithm'
  /** Another kind of JWT: a workload token, or the token of the session cookie. */
  | 'type'
  /** The issuer publishes no such key. */
  | 'key'
  | 'signature'
  /** The key set could not be read: the token may be good, but nobody can tell. */
  | 'keys_unreachable'
  | 'issuer'
  | 'audience'
  | 'project'
  | 'environment'
  | 'expired'
  | 'not_yet_valid'
  /** A claim that every token has is missing or of another type. */
  | 'claim';

/** Who is visiting cannot be told. No message has a token in it. */
export class PassportError extends Error {
  override readonly name = 'PassportError';
  readonly code: PassportErrorCode;

  constructor(code: PassportErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** A value from outside, as it may stand in a message: quoted and short. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
