/** What the identity provider said about a visitor, beyond who they are. Names as on the wire. */
export type VisitorClaims = {
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly name?: string;
  /** Claims of the connector's allowlist, for example `groups`. */
  readonly [claim: string]: unknown;
};

/** Kept as it came, and opened by nobody on this floor. */
type SealedTokens = {
  readonly sealed: string;
  readonly refreshInSeconds?: number | undefined;
  readonly endsSession: boolean;
};

/** A visitor's session at one host of one deployment: what a Passport cookie stands for. */
export type VisitorSession = {
  /** `sid`: public, in the token's claims and in the URL that ends it. */
  readonly id: string;
  readonly teamId: string;
  readonly projectId: string;
  readonly environment: string;
  /** The deployment that the visitor entered by; the host may have moved to another one since. */
  readonly deploymentId: string;
  /** The only host that the session counts on. */
  readonly host: string;
  readonly connectorId: string;
  /** The principal at the identity provider. */
  readonly externalSub: string;
  readonly externalIss: string;
  /** The provider's own session, where it names it (`sid`). */
  readonly externalSid: string | undefined;
  readonly claims: VisitorClaims;
  /** What the provider gave to ask again, or to end its session; sealed. */
  readonly providerTokens: SealedTokens | undefined;
  /** Hash of the secret in the `__Host-` cookie without which the session cookie is nothing. */
  readonly companionHash: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly expiresAt: number;
  /** How long the visitor may stay away, and when that is over; undefined: as long as the session lasts. */
  readonly idle: { readonly seconds: number; readonly expiresAt: number } | undefined;
  readonly endedAt: number | undefined;
};

/** Why a session ended before its time. */
export type SessionEnd =
  | 'sign-out'
  | 'ended-by-team'
  | 'ended-by-provider'
  | 'project-deleted'
  | 'connector-deleted'
  | 'password-changed'
  | 'key-revoked';

/** What was true when the visitor came back from the identity provider. */
export type NewVisitorSession = Omit<
  VisitorSession,
  'id' | 'createdAt' | 'expiresAt' | 'idle' | 'endedAt'
> & {
  readonly lifetimeSeconds: number;
  readonly idleSeconds?: number | undefined;
  /** When it was said who the visitor is, by the database's clock: an end of sessions since then ends this one too. */
  readonly answeredAt: number;
};

/** Which sessions of a team are meant; what is left out matches all. */
export type VisitorSessionFilter = {
  readonly projectId?: string | undefined;
  readonly connectorId?: string | undefined;
  readonly externalSub?: string | undefined;
};
