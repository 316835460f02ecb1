import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import * as openid from 'openid-client';
import { listen, type Running } from '../listen.ts';
import { renderFacts, renderPage } from '../page.ts';
import { createCookies, type Pending, type Session } from './session.ts';

export type HonoAppSettings = {
  /** Where the app is reached, without a trailing slash. */
  url: string;
  /** `{origin}` of Tessera. */
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Encrypts the session cookie: at least 32 random characters, the same in every process of the app. */
  sessionSecret: string;
};

/** A Hono app with "Sign in with Tessera" through `openid-client`; its session is an encrypted cookie. */
export async function createHonoApp(settings: HonoAppSettings): Promise<Hono> {
  const tessera = await discover(settings);
  const redirectUri = `${settings.url}/callback`;
  const cookies = await createCookies({
    secret: settings.sessionSecret,
    secure: settings.url.startsWith('https:'),
  });
  const app = new Hono();

  app.get('/', async (context) => {
    const session = await cookies.read(context, 'session');
    return context.html(session ? showProfile(session) : showDoor());
  });

  app.get('/sign-in', async (context) => {
    const pending: Pending = {
      state: openid.randomState(),
      nonce: openid.randomNonce(),
      codeVerifier: openid.randomPKCECodeVerifier(),
    };
    await cookies.keep(context, 'pending', pending);
    const url = openid.buildAuthorizationUrl(tessera, {
      redirect_uri: redirectUri,
      scope: 'openid profile email offline_access',
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await openid.calculatePKCECodeChallenge(pending.codeVerifier),
      code_challenge_method: 'S256',
    });
    return context.redirect(url.href, 303);
  });

  app.get('/callback', async (context) => {
    const pending = await cookies.read(context, 'pending');
    if (!pending) return context.text('No sign-in was begun in this browser.', 400);
    cookies.forget(context, 'pending');
    const answer = new URL(`${redirectUri}${new URL(context.req.url).search}`);
    try {
      const tokens = await openid.authorizationCodeGrant(tessera, answer, {
        expectedState: pending.state,
        expectedNonce: pending.nonce,
        pkceCodeVerifier: pending.codeVerifier,
        idTokenExpected: true,
      });
      await cookies.keep(context, 'session', toSession(tokens));
    } catch (error) {
      console.error('sign-in failed', error);
      return context.text('You are not signed in.', 400);
    }
    return context.redirect('/', 303);
  });

  app.post('/renew', async (context) => {
    const session = await cookies.read(context, 'session');
    if (session?.refreshToken) {
      // The refresh token changes with every use: keep the new one.
      const tokens = await openid.refreshTokenGrant(tessera, session.refreshToken);
      await cookies.keep(context, 'session', toSession(tokens));
    }
    return context.redirect('/', 303);
  });

  app.post('/sign-out', async (context) => {
    const session = await cookies.read(context, 'session');
    cookies.forget(context, 'session');
    if (!session) return context.redirect('/', 303);
    // Ends the session at Tessera too; the browser comes back to the app.
    const url = openid.buildEndSessionUrl(tessera, {
      id_token_hint: session.idToken,
      post_logout_redirect_uri: settings.url,
    });
    return context.redirect(url.href, 303);
  });

  return app;
}

async function discover(settings: HonoAppSettings): Promise<openid.Configuration> {
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

function toSession(tokens: openid.TokenEndpointResponse & openid.TokenEndpointResponseHelpers): Session {
  const claims = tokens.claims();
  if (!claims || !tokens.id_token) throw new Error('the answer has no ID token');
  return {
    sub: claims.sub,
    name: textOf(claims['name']),
    email: textOf(claims['email']),
    idToken: tokens.id_token,
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token,
  };
}

/** A claim that may be missing. */
function textOf(claim: unknown): string {
  return typeof claim === 'string' ? claim : '';
}

function showDoor(): string {
  return renderPage('Hono', '<a class="button" id="sign-in" href="/sign-in">Sign in with Tessera</a>');
}

function showProfile({ name, email, sub, accessToken }: Session): string {
  // The tokens themselves never leave the server.
  const facts = { name, email, sub, 'access-token': `…${accessToken.slice(-6)}` };
  return renderPage(
    'Hono',
    `<p>You are signed in.</p>${renderFacts(facts)}
<form id="renew" method="post" action="/renew"><button>Renew the tokens</button></form>
<form id="sign-out" method="post" action="/sign-out"><button>Sign out</button></form>`,
  );
}

/** Serves the app on loopback; its redirect URI is `{url}/callback`, its post-logout redirect URI `{url}`. */
export async function startHonoApp(
  settings: Omit<HonoAppSettings, 'url'> & { port: number },
): Promise<Running> {
  const server = createServer();
  const running = await listen(server, settings.port);
  const app = await createHonoApp({ ...settings, url: running.url });
  const answer = getRequestListener(app.fetch);
  server.on('request', (request, response) => void answer(request, response));
  return running;
}
