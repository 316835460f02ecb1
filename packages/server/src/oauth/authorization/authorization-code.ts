import type { TokenFamily } from '#tokens';

export const authorizationCodePurpose = 'authorization-code';
export const authorizationCodeLifetimeMilliseconds = 60_000;

/** What an authorization code stands for (RFC 6749, 4.1.2), stored beside its hash. */
export type AuthorizationCode = {
  /** The tokens it will give: client, person, session, scopes. */
  family: TokenFamily;
  redirectUri: string;
  codeChallenge?: string | undefined;
  nonce?: string | undefined;
  /** The key that may redeem it (RFC 9449, 10). */
  dpopJkt?: string | undefined;
  /** The consent that it rests on; undefined where none is asked for. */
  consent?: { host: string | undefined } | undefined;
  /** Of the sign-in attempt. */
  reference: string;
};
