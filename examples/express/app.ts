import { createServer } from 'node:http';
import express, { type Express } from 'express';
import openidConnect from 'express-openid-connect';
import { listen, type Running } from '../listen.ts';
import { renderFacts, renderPage } from '../page.ts';

const { auth, requiresAuth } = openidConnect;

export type ExpressAppSettings = {
  /** Where the app is reached, without a trailing slash. */
  url: string;
  /** `{origin}` of Tessera. */
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Encrypts the session cookie: at least 32 random characters, the same in every process of the app. */
  sessionSecret: string;
};

/**
 * An Express app with "Sign in with Tessera" through `express-openid-connect`, which adds `/login`, `/callback` and
 * `/logout` and keeps the session in an encrypted cookie.
 */
export function createExpressApp(settings: ExpressAppSettings): Express {
  const app = express();
  app.use(
    auth({
      issuerBaseURL: settings.issuer,
      baseURL: settings.url,
      clientID: settings.clientId,
      clientSecret: settings.clientSecret,
      secret: settings.sessionSecret,
      authorizationParams: { response_type: 'code', scope: 'openid profile email offline_access' },
      // Only the pages that ask for it need a signed-in person.
      authRequired: false,
      // Signing out here ends the session at Tessera too.
      idpLogout: true,
    }),
  );

  app.get('/', (request, response) => {
    response.send(
      request.oidc.isAuthenticated()
        ? renderPage('Express', '<p>You are signed in.</p><a class="button" href="/profile">Profile</a>')
        : renderPage('Express', '<a class="button" id="sign-in" href="/login">Sign in with Tessera</a>'),
    );
  });

  app.get('/profile', requiresAuth(), (request, response) => {
    const { name, email, sub } = request.oidc.user as { name: string; email: string; sub: string };
    // The tokens themselves never leave the server.
    const token = `…${request.oidc.accessToken?.access_token.slice(-6) ?? ''}`;
    response.send(
      renderPage(
        'Profile',
        `${renderFacts({ name, email, sub, 'access-token': token })}<form id="renew" method="post" action="/renew"><button>Renew the tokens</button></form>
<a class="button" id="sign-out" href="/logout">Sign out</a>`,
      ),
    );
  });

  app.post('/renew', requiresAuth(), async (request, response) => {
    // What an app does when `accessToken.isExpired()`; the library keeps the new tokens in the session.
    await request.oidc.accessToken?.refresh();
    response.redirect(303, '/profile');
  });

  return app;
}

/** Serves the app on loopback; its redirect URI is `{url}/callback`, its post-logout redirect URI `{url}`. */
export async function startExpressApp(
  settings: Omit<ExpressAppSettings, 'url'> & { port: number },
): Promise<Running> {
  const server = createServer();
  const running = await listen(server, settings.port);
  server.on('request', createExpressApp({ ...settings, url: running.url }));
  return running;
}
