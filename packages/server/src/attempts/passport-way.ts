/**
 * What the gateway's start link carries to `{connect}/start`: the payload of a code of purpose `passport-start`.
 * Made by the gateway from configuration and records, never from what the visitor sent besides the path.
 */
export type PassportStart = {
  /** The deployment's host as registered, lower case, without a port. */
  host: string;
  /** Where the visitor was going: path and query, beginning with one `/`. */
  path: string;
  deploymentId: string;
  projectId: string;
  teamId: string;
  connectorId: string;
  /** base64url SHA-256 of the `__Host-` cookie that the gateway set on the deployment's host for this attempt. */
  bindingHash: string;
  /** The sign-in attempt, `ref_…`. */
  reference: string;
};

/** A visitor as the identity provider names them. */
export type Principal = {
  /** The provider's own value, unchanged: with `externalIss` the only reliable identifier. */
  externalSub: string;
  externalIss: string;
  /** The provider's name of its own session (`sid`), by which it may end ours. */
  externalSid?: string;
  email?: string;
  emailVerified?: boolean;
  name?: string;
  /** Claims of the connector's allow-list that the provider gave, by their names at the provider. */
  claims: Readonly<Record<string, unknown>>;
};

/** What is known of a visitor, by the names on the wire. */
export function visitorClaimsOf({ claims, email, emailVerified, name }: Principal): Record<string, unknown> {
  return {
    ...claims,
    ...(email === undefined ? {} : { email }),
    ...(emailVerified === undefined ? {} : { email_verified: emailVerified }),
    ...(name === undefined ? {} : { name }),
  };
}

/** What a provider gave to ask it again, or to end its session. Sealed: whoever keeps it cannot read it. */
export type KeptProviderTokens = {
  sealed: string;
  /** When to ask again; absent where that cannot be done. */
  refreshInSeconds?: number | undefined;
  /** The provider has an end-session endpoint to bring the ID token to. */
  endsSession: boolean;
};

/**
 * What connect hands to `/.well-known/{prefix}/passport/finish` on the deployment's host: the payload of a code of
 * purpose `passport-hand-off`. The first presentation ends it, whether the companion cookie was right or not.
 */
export type PassportHandOff = {
  host: string;
  path: string;
  deploymentId: string;
  projectId: string;
  teamId: string;
  connectorId: string;
  /** The start's `bindingHash`: the hand-off counts only together with the cookie of that hash. */
  companionHash: string;
  principal: Principal;
  providerTokens?: KeptProviderTokens | undefined;
  /** When the answer came that says who it is, by the database's clock: an end of sessions since then ends this too. */
  answeredAt: number;
  reference: string;
};

/** A code of this purpose is the `state` of a visitor's way to an identity provider, or to our own sign-in. */
export const connectAttemptPurpose = 'connect-attempt';

/**
 * What our own sign-in hands to `{connect}/callback`: the payload of a code of purpose `platform-sign-in`. It says who
 * is logged in at the origin in this browser, to the one attempt that asked; what they may is not its business.
 */
export type PlatformSignIn = {
  /** Hash of the attempt's state: no other attempt can use the code. */
  stateHash: string;
  userId: string;
};
export const platformSignInPurpose = 'platform-sign-in';
export const platformSignInLifetimeMilliseconds = 60_000;
/** At the origin: leads a visitor through the login, where needed, and back to `{connect}/callback`. */
export const platformSignInPath = '/login/visitor';

export const passportStartPurpose = 'passport-start';
export const passportStartLifetimeMilliseconds = 60_000;
export const passportHandOffPurpose = 'passport-hand-off';
export const passportHandOffLifetimeMilliseconds = 60_000;

/** What the sign-out page of a deployment carries to `{connect}/end-session`, by a code of this purpose. */
export type PassportEndSession = {
  connectorId: string;
  externalSub: string;
  providerTokens: KeptProviderTokens;
};
export const passportEndSessionPurpose = 'passport-end-session';
export const passportEndSessionLifetimeMilliseconds = 10 * 60_000;
