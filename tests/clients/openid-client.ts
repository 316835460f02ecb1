import * as openid from 'openid-client';
import type { ClientLibrary } from './relying-party.ts';

/** https://www.npmjs.com/package/openid-client, as its README uses it. */
export const openidClient: ClientLibrary = {
  name: 'openid-client',
  callbackPath: '/callback',
  async start({ url, issuer, clientId, clientSecret }) {
    const configuration = await openid.discovery(
      new URL(issuer),
      clientId,
      undefined,
      openid.ClientSecretBasic(clientSecret),
      { execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks] },
    );
    let checks: { expectedState: string; expectedNonce: string; pkceCodeVerifier: string } | undefined;
    let tokens: (openid.TokenEndpointResponse & openid.TokenEndpointResponseHelpers) | undefined;

    return {
      async begin() {
        checks = {
          expectedState: openid.randomState(),
          expectedNonce: openid.randomNonce(),
          pkceCodeVerifier: openid.randomPKCECodeVerifier(),
        };
        return openid.buildAuthorizationUrl(configuration, {
          redirect_uri: `${url}/callback`,
          scope: 'openid profile email offline_access',
          state: checks.expectedState,
          nonce: checks.expectedNonce,
          code_challenge: await openid.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
          code_challenge_method: 'S256',
        });
      },
      async finish(_visitor, answer) {
        tokens = await openid.authorizationCodeGrant(configuration, answer, {
          ...checks,
          idTokenExpected: true,
        });
      },
      async find() {
        const claims = tokens?.claims();
        if (!tokens || !claims) return undefined;
        const { sub, email, name } = await openid.fetchUserInfo(
          configuration,
          tokens.access_token,
          claims.sub,
        );
        return { sub, email: email ?? '', name: name ?? '', accessToken: tokens.access_token };
      },
      async renew() {
        const refreshToken = tokens?.refresh_token;
        if (!refreshToken) throw new Error('no refresh token was issued');
        tokens = await openid.refreshTokenGrant(configuration, refreshToken);
      },
      async signOut() {
        const idToken = tokens?.id_token;
        tokens = undefined;
        return openid.buildEndSessionUrl(configuration, {
          id_token_hint: idToken ?? '',
          post_logout_redirect_uri: `${url}/`,
          state: 'back',
        });
      },
    };
  },
};
