import express from 'express';
import session from 'express-session';
import { Passport, type Profile } from 'passport';
import OpenIDConnectStrategy from 'passport-openidconnect';
import { expectHome, findMe, post, type ClientLibrary } from './relying-party.ts';

type Person = {
  sub: string;
  email: string;
  name: string;
  idToken: string;
  accessToken: string;
  refreshToken: string;
};

/** Passport renews no tokens by itself; its add-ons ask the strategy's own OAuth client, as here. */
class RenewingStrategy extends OpenIDConnectStrategy {
  renew(refreshToken: string): Promise<{ accessToken: string; refreshToken: string }> {
    return new Promise((resolve, reject) => {
      this._oauth2.getOAuthAccessToken(
        refreshToken,
        { grant_type: 'refresh_token' },
        (error, accessToken, nextRefreshToken) => {
          if (error) reject(new Error(`the refresh failed: ${JSON.stringify(error)}`));
          else resolve({ accessToken: accessToken ?? '', refreshToken: nextRefreshToken ?? '' });
        },
      );
    });
  }
}

/** https://www.npmjs.com/package/passport-openidconnect: no discovery, no PKCE, the secret in the body. */
export const passportOpenidConnect: ClientLibrary = {
  name: 'passport-openidconnect',
  callbackPath: '/callback',
  registration: { tokenEndpointAuthMethods: ['client_secret_post'], requirePkce: false },
  async start({ url, issuer, clientId, clientSecret }, server) {
    const metadata = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as Record<
      string,
      string
    >;
    const endpoint = (name: string): string => metadata[name] ?? '';
    const strategy = new RenewingStrategy(
      {
        issuer,
        authorizationURL: endpoint('authorization_endpoint'),
        tokenURL: endpoint('token_endpoint'),
        userInfoURL: endpoint('userinfo_endpoint'),
        clientID: clientId,
        clientSecret,
        callbackURL: `${url}/callback`,
        scope: 'profile email offline_access',
        nonce: 'yes',
        // Asks the userinfo endpoint too.
        skipUserProfile: false,
      },
      (
        _issuer: string,
        profile: Profile,
        _context: object,
        idToken: string | object,
        accessToken: string | object,
        refreshToken: string,
        _parameters: unknown,
        verified: OpenIDConnectStrategy.VerifyCallback,
      ) => {
        const person: Person = {
          sub: profile.id,
          email: profile.emails?.[0]?.value ?? '',
          name: profile.displayName,
          idToken: idToken as string,
          accessToken: accessToken as string,
          refreshToken,
        };
        verified(null, person);
      },
    );
    const passport = new Passport();
    passport.use('tessera', strategy);
    passport.serializeUser((person, done) => done(null, person));
    passport.deserializeUser((person: Express.User, done) => done(null, person));

    const app = express();
    app.use(session({ secret: 'a secret of the app', resave: false, saveUninitialized: false }));
    app.use(passport.session());
    const authenticate = passport.authenticate('tessera', { failWithError: true }) as express.RequestHandler;
    app.get('/sign-in', authenticate);
    app.get('/callback', authenticate, (_request, response) => response.redirect('/'));
    app.get('/', (_request, response) => void response.send('home'));
    app.get('/me', (request, response) => {
      if (request.user) response.json(request.user);
      else response.sendStatus(401);
    });
    app.post('/renew', async (request, response) => {
      const person = request.user as Person;
      Object.assign(person, await strategy.renew(person.refreshToken));
      request.login(person, () => response.sendStatus(200));
    });
    app.get('/sign-out', (request, response, next) => {
      const { idToken } = request.user as Person;
      request.logout((error: unknown) => {
        if (error) {
          next(error);
          return;
        }
        const endSession = new URL(endpoint('end_session_endpoint'));
        endSession.searchParams.set('id_token_hint', idToken);
        endSession.searchParams.set('post_logout_redirect_uri', url);
        response.redirect(endSession.href);
      });
    });
    server.on('request', app);

    return {
      begin: async (visitor) => (await visitor.open(`${url}/sign-in`)).location(),
      finish: expectHome,
      find: (visitor) => findMe(visitor, url),
      async renew(visitor) {
        const answer = await post(visitor, `${url}/renew`, {});
        if (answer.status !== 200) throw new Error(answer.text);
      },
      signOut: async (visitor) => (await visitor.open(`${url}/sign-out`)).location(),
    };
  },
};
