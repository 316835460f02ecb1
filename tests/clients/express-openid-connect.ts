import express from 'express';
import openidConnect from 'express-openid-connect';
import session from 'express-session';
import { expectHome, findMe, post, type ClientLibrary } from './relying-party.ts';

/** https://www.npmjs.com/package/express-openid-connect: its own routes for login, callback and logout. */
export const expressOpenidConnect: ClientLibrary = {
  name: 'express-openid-connect',
  callbackPath: '/callback',
  backchannelLogoutPath: '/backchannel-logout',
  async start({ url, issuer, clientId, clientSecret }, server) {
    const app = express();
    app.use(
      openidConnect.auth({
        issuerBaseURL: issuer,
        baseURL: url,
        clientID: clientId,
        clientSecret,
        secret: 'a secret of the app, long enough for a test',
        authRequired: false,
        idpLogout: true,
        // Its documentation names express-session's stores; its types do not quite take them.
        backchannelLogout: { store: new session.MemoryStore() as never },
        authorizationParams: { response_type: 'code', scope: 'openid profile email offline_access' },
      }),
    );
    app.get('/', (_request, response) => void response.send('home'));
    app.get('/me', async (request, response) => {
      if (!request.oidc.isAuthenticated()) {
        response.sendStatus(401);
        return;
      }
      const { sub, email, name } = await request.oidc.fetchUserInfo();
      response.json({ sub, email, name, accessToken: request.oidc.accessToken?.access_token });
    });
    app.post('/renew', async (request, response) => {
      await request.oidc.accessToken?.refresh();
      response.sendStatus(200);
    });
    server.on('request', app);

    return {
      begin: async (visitor) => (await visitor.open(`${url}/login`)).location(),
      finish: expectHome,
      find: (visitor) => findMe(visitor, url),
      async renew(visitor) {
        const answer = await post(visitor, `${url}/renew`, {});
        if (answer.status !== 200) throw new Error(answer.text);
      },
      signOut: async (visitor) => (await visitor.open(`${url}/logout`)).location(),
    };
  },
};
