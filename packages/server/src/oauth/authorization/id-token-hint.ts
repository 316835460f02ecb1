import { oauthError } from '#errors';
import { TokenRefused, type Keys } from '#keys';
import { idTokenType } from '#tokens';

/** Whose login an ID token tells of, and at which app. */
export type IdTokenHint = { sub: string; clientId: string; sid: string | undefined };

/** Throws OAuthError `invalid_request` when it is none of ours. */
export type VerifyIdTokenHint = (idTokenHint: string) => Promise<IdTokenHint>;

/** OpenID Connect Core 3.1.2.1, RP-Initiated Logout 1.0, 2: an ID token of ours, of any app, also an expired one. */
export function createIdTokenHints(needs: { keys: Pick<Keys, 'verify'>; issuer: string }): VerifyIdTokenHint {
  return async (idTokenHint) => {
    try {
      const { sub, aud, sid } = await needs.keys.verify(idTokenHint, {
        purpose: 'id-token',
        type: idTokenType,
        issuer: needs.issuer,
        audience: undefined,
        acceptExpired: true,
      });
      if (sub === undefined || typeof aud !== 'string') {
        throw new TokenRefused('claims', 'The token has no sub, or not one aud.');
      }
      return { sub, clientId: aud, sid: typeof sid === 'string' ? sid : undefined };
    } catch (cause) {
      if (!(cause instanceof TokenRefused)) throw cause;
      throw oauthError('invalid_request', `Parameter 'id_token_hint'. ${cause.message}`, { cause });
    }
  };
}
