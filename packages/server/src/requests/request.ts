import type { Prompt, ResponseMode } from '@tessera/protocol';
import type { OAuthErrorCode } from '#errors';

/** The parameters of an authorization request (RFC 6749 4.1.1, OpenID Connect Core 3.1.2.1) after validation. */
export type AuthorizationParameters = {
  clientId: string;
  redirectUri: string;
  responseMode: ResponseMode;
  /** Those of the scopes asked for that the app may have. */
  scopes: readonly string[];
  /** Resource servers that the tokens may be for (RFC 8707); none: they are for us. */
  resources: readonly string[];
  state?: string;
  nonce?: string;
  codeChallenge?: string;
  prompts: readonly Prompt[];
  /** Seconds. */
  maxAge?: number;
  loginHint?: string;
  /** The pushed request that these come from (RFC 9126): used up when the authorization completes. */
  pushedRequestId?: string;
  /** The key that the code is to be bound to (RFC 9449, 10). */
  dpopJkt?: string;
  /** Claims asked for by name, of those that the app may have (OpenID Connect Core 5.5). */
  claims?: { idToken: readonly string[]; userinfo: readonly string[] };
  /** Authentication context classes asked for; an essential one must be met (OpenID Connect Core 5.5.1.1). */
  acr?: { values: readonly string[]; isEssential: boolean };
  /** The host of a redirect URI that is a project's: consent is remembered for it alone. */
  projectHost?: string;
  /** The `sub` of a valid `id_token_hint`, or of the `claims`: only this person will do. */
  hintedUserId?: string;
  /** What is wrong with the request, kept until its app may be told: after login. */
  refusal?: { error: OAuthErrorCode; description: string };
  /** What was sent, as it was: the app is one that is looked up only after login. */
  unread?: Readonly<Record<string, string>>;
};

/** A request that waits for a person. Times are milliseconds since the epoch. */
export type AuthorizationRequest = {
  id: string;
  parameters: AuthorizationParameters;
  /** Of the sign-in attempt. */
  reference: string;
  /** The browser that may go on with it; undefined until the first one came (after a cross-site POST). */
  browserId: string | undefined;
  /** The login the browser had when it came: a login that is asked for must be another one. */
  loginAtStart: string | undefined;
  /** What the person allowed on the consent page, and who they were. */
  approved: { userId: string; scopes: readonly string[]; teamId: string | undefined } | undefined;
  cancelled: boolean;
};
