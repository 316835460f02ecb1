/** Seconds an access token lives. */
export const accessTokenLifetimeSeconds = 60 * 60;
/** A family ends 30 days after its first token, however often it was refreshed. */
export const familyLifetimeMilliseconds = 30 * 24 * 60 * 60 * 1000;
/** How long after its first use a refresh token may be presented again by a client that lost the answer. */
export const retryWindowMilliseconds = 30_000;

/** All tokens that come from one authorization. Times are milliseconds since the epoch. */
export type TokenFamily = {
  id: string;
  clientId: string;
  userId: string;
  /** The login session at which it was authorized. */
  sid: string;
  scopes: readonly string[];
  authenticatedAt: number;
  /** How the person proved who they are (RFC 8176). */
  amr: readonly string[];
  redirectHost: string;
  /** Resource servers that its access tokens may be for (RFC 8707); none: they are for us. */
  resources: readonly string[];
  /** The team that the person granted permissions in; its tokens can do nothing in another. */
  grantedTeamId?: string | undefined;
  /** What the app asked for by name (OpenID Connect Core 5.5). */
  claims?: RequestedClaims | undefined;
  /** The authentication context class, when the app asked for one. */
  acr?: string | undefined;
  /** The key that its refresh tokens are bound to (RFC 9449, 5); a confidential client's are bound to the client. */
  dpopJkt?: string | undefined;
};

/** Claims that were asked for by name, beside those that scopes give. */
export type RequestedClaims = { idToken: readonly string[]; userinfo: readonly string[] };

/** What one access token may be used for: within what its family, or its app, may. */
export type TokenReach = { scopes: readonly string[]; resources: readonly string[] };

/** An access token in force. */
export type AccessToken = {
  /** The stored hash: it names the token and cannot be presented. */
  id: string;
  /** The same, or the claim of a token that is a JWT. */
  jti: string;
  clientId: string;
  /** Undefined for a token that an app got for itself. */
  userId: string | undefined;
  familyId: string | undefined;
  sid: string | undefined;
  scopes: readonly string[];
  /** Resource servers that it is for; none: it is for us. */
  resources: readonly string[];
  /** Whether our own API takes it. */
  isForUs: boolean;
  grantedTeamId: string | undefined;
  claims: RequestedClaims | undefined;
  /** The key that it is bound to (RFC 9449, 6); undefined for a bearer token. */
  dpopJkt: string | undefined;
  createdAt: number;
  expiresAt: number;
};

/** A refresh token as it stands. */
export type RefreshToken = {
  id: string;
  family: TokenFamily;
  createdAt: number;
  expiresAt: number;
  /** `live`: not used. `retry`: used so lately, its successor still unused, that a lost answer is likely. `used`. */
  state: 'live' | 'retry' | 'used';
  /** The random salt of a used one's successor. */
  salt: string | undefined;
  /** Why nothing of the family counts any more. */
  ended: 'expired' | 'revoked' | undefined;
};

export type RevocationReason =
  | 'code_reuse'
  | 'refresh_token_reuse'
  | 'revoked_by_client'
  | 'tokens_invalidated'
  | 'revoked_by_person'
  | 'session_ended'
  | 'account_disabled';
