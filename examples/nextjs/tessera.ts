import * as openid from 'openid-client';
import type { Pending, Session } from './session';

/** Where this app is reached; behind a proxy the request itself does not say. */
export const appUrl = process.env.APP_URL ?? 'http://localhost:3000';

const redirectUri = new URL('/callback', appUrl).href;
const scope = 'openid profile email offline_access';

let discovered: Promise<openid.Configuration> | undefined;

/** Reads Tessera's metadata once, at the first sign-in; tries again after a failure. */
function configuration(): Promise<openid.Configuration> {
  discovered ??= discover().catch((error: unknown) => {
    discovered = undefined;
    throw error;
  });
  return discovered;
}

async function discover(): Promise<openid.Configuration> {
  const issuer = new URL(process.env.ISSUER ?? 'http://localhost:4000');
  return openid.discovery(
    issuer,
    process.env.CLIENT_ID ?? '',
    undefined,
    openid.ClientSecretBasic(process.env.CLIENT_SECRET ?? ''),
    // Only on a developer's own machine does an issuer speak plain http.
    issuer.protocol === 'http:' ? { execute: [openid.allowInsecureRequests] } : {},
  );
}

/** Where the browser goes, and what its answer must match. */
export async function beginSignIn(): Promise<{ url: URL; pending: Pending }> {
  const pending: Pending = {
    state: openid.randomState(),
    nonce: openid.randomNonce(),
    codeVerifier: openid.randomPKCECodeVerifier(),
  };
  const url = openid.buildAuthorizationUrl(await configuration(), {
    redirect_uri: redirectUri,
    scope,
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: await openid.calculatePKCECodeChallenge(pending.codeVerifier),
    code_challenge_method: 'S256',
  });
  return { url, pending };
}

export async function finishSignIn(search: string, pending: Pending): Promise<Session> {
  const tokens = await openid.authorizationCodeGrant(
    await configuration(),
    new URL(`${redirectUri}${search}`),
    {
      expectedState: pending.state,
      expectedNonce: pending.nonce,
      pkceCodeVerifier: pending.codeVerifier,
      idTokenExpected: true,
    },
  );
  return toSession(tokens);
}

/** New tokens for old ones. The refresh token changes with every use: keep the new one. */
export async function renew(session: Session): Promise<Session> {
  if (!session.refreshToken) throw new Error('there is nothing to renew: sign in first');
  const tokens = await openid.refreshTokenGrant(await configuration(), session.refreshToken);
  return { ...session, ...toSession(tokens) };
}

/** Where the browser goes to end the session at Tessera too; it comes back to `appUrl`. */
export async function signOutUrl(idToken: string): Promise<URL> {
  return openid.buildEndSessionUrl(await configuration(), {
    id_token_hint: idToken,
    post_logout_redirect_uri: new URL('/', appUrl).href,
  });
}

function toSession(tokens: openid.TokenEndpointResponse & openid.TokenEndpointResponseHelpers): Session {
  const claims = tokens.claims();
  if (!claims || !tokens.id_token) throw new Error('the answer has no ID token');
  return {
    sub: claims.sub,
    name: textOf(claims.name),
    email: textOf(claims.email),
    idToken: tokens.id_token,
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token,
  };
}

/** A claim that may be missing. */
function textOf(claim: unknown): string {
  return typeof claim === 'string' ? claim : '';
}
