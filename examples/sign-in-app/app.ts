import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import * as openid from 'openid-client';
import { listen, type Running } from '../listen.ts';
import { escapeHtml, renderFacts, sendPage } from '../page.ts';

export type SignInAppSettings = {
  port: number;
  /** `{origin}` of Tessera. */
  issuer: string;
  clientId: string;
  clientSecret: string;
};

/** Between the click on "Sign in" and the callback: what the answer must match. */
type Pending = { state: string; nonce: string; codeVerifier: string };
type SignedIn = { claims: openid.IDToken; accessToken: string; refreshToken: string | undefined };
type Browser = { pending?: Pending; signedIn?: SignedIn };

const cookieName = 'sign_in_app';

/**
 * A small web application with "Sign in with Tessera", written with the library `openid-client` and nothing of ours.
 * Its redirect URI is `{url}/callback`.
 */
export async function startSignInApp(settings: SignInAppSettings): Promise<Running> {
  const server = createServer();
  const running = await listen(server, settings.port);
  const redirectUri = `${running.url}/callback`;
  const configuration = await discover(settings);
  const browsers = new Map<string, Browser>();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', running.url);
    const browser = findBrowser(request, response, browsers);
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /':
        showHome(response, browser);
        return;
      case 'GET /sign-in':
        redirect(response, await beginSignIn(configuration, redirectUri, browser));
        return;
      case 'GET /callback':
        browser.signedIn = await finishSignIn(configuration, url, browser);
        redirect(response, new URL('/', running.url));
        return;
      case 'POST /renew':
        browser.signedIn = await renew(configuration, browser.signedIn);
        redirect(response, new URL('/', running.url));
        return;
      case 'POST /sign-out':
        delete browser.signedIn;
        redirect(response, new URL('/', running.url));
        return;
      default:
        sendPage(response, 404, 'Not found', '<p><a href="/">Home</a></p>');
    }
  }

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answer(request, response).catch((error: unknown) => showProblem(response, error));
  });
  return running;
}

async function discover(settings: SignInAppSettings): Promise<openid.Configuration> {
  const issuer = new URL(settings.issuer);
  return openid.discovery(
    issuer,
    settings.clientId,
    undefined,
    openid.ClientSecretBasic(settings.clientSecret),
    // Only on a developer's own machine does an issuer speak plain http.
    issuer.protocol === 'http:' ? { execute: [openid.allowInsecureRequests] } : {},
  );
}

async function beginSignIn(
  configuration: openid.Configuration,
  redirectUri: string,
  browser: Browser,
): Promise<URL> {
  const pending: Pending = {
    state: openid.randomState(),
    nonce: openid.randomNonce(),
    codeVerifier: openid.randomPKCECodeVerifier(),
  };
  browser.pending = pending;
  return openid.buildAuthorizationUrl(configuration, {
    redirect_uri: redirectUri,
    scope: 'openid profile email offline_access',
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: await openid.calculatePKCECodeChallenge(pending.codeVerifier),
    code_challenge_method: 'S256',
  });
}

async function finishSignIn(
  configuration: openid.Configuration,
  url: URL,
  browser: Browser,
): Promise<SignedIn> {
  const { pending } = browser;
  if (!pending) throw new Error('no sign-in was begun in this browser');
  delete browser.pending;
  const tokens = await openid.authorizationCodeGrant(configuration, url, {
    expectedState: pending.state,
    expectedNonce: pending.nonce,
    pkceCodeVerifier: pending.codeVerifier,
    idTokenExpected: true,
  });
  const claims = tokens.claims();
  if (!claims) throw new Error('the answer has no ID token');
  return { claims, accessToken: tokens.access_token, refreshToken: tokens.refresh_token };
}

/** What an app does when its access token has expired. */
async function renew(configuration: openid.Configuration, before: SignedIn | undefined): Promise<SignedIn> {
  if (!before?.refreshToken) throw new Error('there is nothing to renew: sign in first');
  const tokens = await openid.refreshTokenGrant(configuration, before.refreshToken);
  return {
    claims: tokens.claims() ?? before.claims,
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token,
  };
}

function showHome(response: ServerResponse, { signedIn }: Browser): void {
  if (!signedIn) {
    sendPage(
      response,
      200,
      'Sign-in app',
      '<p>An app that knows nobody yet.</p><a class="button" id="sign-in" href="/sign-in">Sign in</a>',
    );
    return;
  }
  const { claims, accessToken, refreshToken } = signedIn;
  const facts = {
    name: claims['name'] ?? '(not given)',
    email: claims['email'] ?? '(not given)',
    sub: claims.sub,
    issuer: claims.iss,
    // The tokens themselves never leave the server.
    'access-token': `${accessToken.slice(0, 4)}… (${accessToken.length} characters)`,
    'refresh-token': refreshToken
      ? `${refreshToken.slice(0, 4)}… (${refreshToken.length} characters)`
      : 'none',
  };
  sendPage(
    response,
    200,
    'Sign-in app',
    `<p>You are signed in.</p>${renderFacts(facts)}
<form method="post" action="/renew"><button id="renew">Renew the tokens</button>
<button id="sign-out" formaction="/sign-out">Sign out</button></form>`,
  );
}

function showProblem(response: ServerResponse, error: unknown): void {
  const facts =
    error instanceof openid.AuthorizationResponseError || error instanceof openid.ResponseBodyError
      ? { error: error.error, description: error.error_description ?? '' }
      : { error: error instanceof Error ? error.message : String(error) };
  sendPage(
    response,
    400,
    'You are not signed in',
    `${renderFacts(facts)}<a class="button" href="/">Begin again</a>`,
  );
}

function redirect(response: ServerResponse, to: URL): void {
  response.writeHead(303, { location: to.href, 'cache-control': 'no-store' }).end(escapeHtml(to.href));
}

function findBrowser(
  request: IncomingMessage,
  response: ServerResponse,
  browsers: Map<string, Browser>,
): Browser {
  const id = new RegExp(`(?:^|; )${cookieName}=([\\w-]+)`).exec(request.headers.cookie ?? '')?.[1];
  const known = id === undefined ? undefined : browsers.get(id);
  if (known) return known;
  const newId = randomBytes(32).toString('base64url');
  const browser: Browser = {};
  browsers.set(newId, browser);
  response.setHeader('set-cookie', `${cookieName}=${newId}; Path=/; HttpOnly; SameSite=Lax`);
  return browser;
}
