import { oauthError } from '#errors';
import { TokenRefused, type Keys } from '#keys';
import { idTokenType } from '#tokens';

/** The person of an `id_token_hint`. Throws OAuthError `invalid_request` when it is none of ours. */
export type HintedUser = (idTokenHint: string) => Promise<string>;

/** OpenID Connect Core 3.1.2.1: an ID token of ours, of any app, also an expired one. */
export function createHintedUser(needs: { keys: Pick<Keys, 'verify'>; issuer: string }): HintedUser {
  return async (idTokenHint) => {
    try {
      const claims = await needs.keys.verify(idTokenHint, {
        purpose: 'id-token',
        type: idTokenType,
        issuer: needs.issuer,
        audience: undefined,
        acceptExpired: true,
      });
      if (claims.sub === undefined) throw new TokenRefused('claims', 'The token has no sub.');
      return claims.sub;
    } catch (cause) {
      if (!(cause instanceof TokenRefused)) throw cause;
      throw oauthError('invalid_request', `Parameter 'id_token_hint'. ${cause.message}`, { cause });
    }
  };
}
