import { oauthError } from '#errors';
import type { IssueIdToken, Tokens } from '#tokens';
import { parseReach } from '../../resources.ts';
import type { FindMembership, FindUser } from '../../shapes.ts';
import type { Grant } from '../grant.ts';

/** RFC 6749, 6: rotated at every use; scopes may only narrow. A wrong client changes nothing. */
export function createRefreshTokenGrant(needs: {
  /** The base URL of our own API. */
  api: string;
  tokens: Tokens;
  issueIdToken: IssueIdToken;
  findUser: FindUser;
  findMembership: FindMembership;
}): Grant {
  return {
    grantType: 'refresh_token',
    async issue({ client, form, context }) {
      const presented = form.get('refresh_token');
      if (presented === undefined) throw oauthError('invalid_request', "Parameter 'refresh_token'. Required");
      const found = await needs.tokens.findRefreshToken(presented);
      if (found === undefined || found.family.clientId !== client.id) {
        throw oauthError('invalid_grant', 'The refresh token is unknown, or was issued to another client');
      }
      const { family } = found;
      // A public client proves nothing but this (RFC 9449, 5); a wrong key changes nothing.
      if (family.dpopJkt !== undefined && family.dpopJkt !== context.dpopJkt) {
        throw oauthError(
          'invalid_grant',
          'The refresh token is bound to another key than that of the DPoP proof',
        );
      }
      const reach = parseReach(form, family, needs.api);
      const { scopes } = reach;
      const user = await needs.findUser(family.userId);
      if (user === undefined || user.disabledAt !== undefined) {
        throw oauthError('invalid_grant', 'The account is disabled');
      }
      // The app may have been closed to strangers since, or the person may have left the team.
      if (
        client.signInAccess === 'team' &&
        (await needs.findMembership(client.teamId, family.userId)) === undefined
      ) {
        throw oauthError(
          'invalid_grant',
          'Only members of the team that owns this app may be signed in to it',
        );
      }
      const issued = await needs.tokens.refresh(presented, found, reach, {
        ...context,
        // Whoever has the token needs the key too: it may stay as it is.
        keeps: !client.rotateRefreshTokens && context.dpopJkt !== undefined,
      });
      if (!scopes.includes('openid')) return issued;
      // Without a nonce (OpenID Connect Core, 12.2): it belongs to the one authorization request.
      const idToken = await needs.issueIdToken({
        family: { ...family, scopes },
        user,
        algorithm: client.idTokenSignedResponseAlg,
        accessToken: issued.accessToken,
      });
      return { ...issued, idToken };
    },
  };
}
