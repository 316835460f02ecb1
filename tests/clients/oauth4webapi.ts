import * as oauth from 'oauth4webapi';
import type { ClientLibrary } from './relying-party.ts';

const insecure = { [oauth.allowInsecureRequests]: true };

/** https://www.npmjs.com/package/oauth4webapi: each step of the protocol by itself. */
export const oauth4webapi: ClientLibrary = {
  name: 'oauth4webapi',
  callbackPath: '/callback',
  registration: { tokenEndpointAuthMethods: ['client_secret_post'] },
  async start({ url, issuer, clientId, clientSecret }) {
    const server = await oauth.processDiscoveryResponse(
      new URL(issuer),
      await oauth.discoveryRequest(new URL(issuer), insecure),
    );
    const client: oauth.Client = { client_id: clientId };
    const authenticate = oauth.ClientSecretPost(clientSecret);
    let pending: { state: string; nonce: string; codeVerifier: string } | undefined;
    let tokens: oauth.TokenEndpointResponse | undefined;

    return {
      async begin() {
        pending = {
          state: oauth.generateRandomState(),
          nonce: oauth.generateRandomNonce(),
          codeVerifier: oauth.generateRandomCodeVerifier(),
        };
        const authorization = new URL(server.authorization_endpoint ?? '');
        authorization.search = new URLSearchParams({
          client_id: clientId,
          redirect_uri: `${url}/callback`,
          response_type: 'code',
          scope: 'openid profile email offline_access',
          state: pending.state,
          nonce: pending.nonce,
          code_challenge: await oauth.calculatePKCECodeChallenge(pending.codeVerifier),
          code_challenge_method: 'S256',
        }).toString();
        return authorization;
      },
      async finish(_visitor, answer) {
        if (!pending) throw new Error('no sign-in was begun');
        const response = await oauth.authorizationCodeGrantRequest(
          server,
          client,
          authenticate,
          oauth.validateAuthResponse(server, client, answer, pending.state),
          `${url}/callback`,
          pending.codeVerifier,
          insecure,
        );
        tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
          expectedNonce: pending.nonce,
          requireIdToken: true,
        });
        await oauth.validateApplicationLevelSignature(server, response, insecure);
      },
      async find() {
        if (!tokens) return undefined;
        const claims = oauth.getValidatedIdTokenClaims(tokens);
        const person = await oauth.processUserInfoResponse(
          server,
          client,
          claims?.sub ?? oauth.skipSubjectCheck,
          await oauth.userInfoRequest(server, client, tokens.access_token, insecure),
        );
        return {
          sub: person.sub,
          email: person.email ?? '',
          name: person.name ?? '',
          accessToken: tokens.access_token,
        };
      },
      async renew() {
        if (!tokens?.refresh_token) throw new Error('no refresh token was issued');
        tokens = await oauth.processRefreshTokenResponse(
          server,
          client,
          await oauth.refreshTokenGrantRequest(server, client, authenticate, tokens.refresh_token, insecure),
        );
      },
      async signOut() {
        const endSession = new URL(server.end_session_endpoint ?? '');
        endSession.search = new URLSearchParams({
          id_token_hint: tokens?.id_token ?? '',
          post_logout_redirect_uri: `${url}/`,
        }).toString();
        tokens = undefined;
        return endSession;
      },
    };
  },
};
