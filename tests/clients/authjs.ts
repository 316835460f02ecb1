import { ExpressAuth, getSession, type ExpressAuthConfig } from '@auth/express';
import express from 'express';
import type { Visitor } from '../harness/visitor.ts';
import { expectHome, findMe, post, type ClientLibrary } from './relying-party.ts';

type Kept = { accessToken: string; refreshToken: string; idToken: string };

/** https://authjs.dev with a custom OIDC provider; the refresh is the one of its guide "Refresh token rotation". */
export const authjs: ClientLibrary = {
  name: 'Auth.js',
  callbackPath: '/auth/callback/tessera',
  async start({ url, issuer, clientId, clientSecret }, server) {
    const metadata = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as {
      token_endpoint: string;
      end_session_endpoint: string;
    };
    async function renew(kept: Kept): Promise<Kept> {
      const response = await fetch(metadata.token_endpoint, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
        },
        body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: kept.refreshToken }),
      });
      const tokens = (await response.json()) as Record<string, string>;
      if (!response.ok) throw new Error(`the refresh failed: ${JSON.stringify(tokens)}`);
      return {
        accessToken: tokens['access_token'] ?? '',
        refreshToken: tokens['refresh_token'] ?? '',
        idToken: tokens['id_token'] ?? '',
      };
    }
    const config: ExpressAuthConfig = {
      secret: 'a secret of the app, long enough for a test',
      trustHost: true,
      providers: [
        {
          id: 'tessera',
          name: 'Tessera',
          type: 'oidc',
          issuer,
          clientId,
          clientSecret,
          checks: ['pkce', 'state', 'nonce'],
          authorization: { params: { scope: 'openid profile email offline_access' } },
        },
      ],
      callbacks: {
        async jwt({ token, account, profile, trigger }) {
          if (account) {
            const kept: Kept = {
              accessToken: account.access_token ?? '',
              refreshToken: account.refresh_token ?? '',
              idToken: account.id_token ?? '',
            };
            return { ...token, sub: profile?.sub ?? '', kept };
          }
          // An app renews when the token has expired; here the page asks for it.
          return trigger === 'update' ? { ...token, kept: await renew(token['kept'] as Kept) } : token;
        },
        session: ({ session, token }) => ({ ...session, sub: token.sub, kept: token['kept'] }),
      },
    };
    const app = express();
    // A pattern, since the package reads the first unnamed part of the path, which Express 5 has here only.
    app.use(/^\/auth\/(.*)$/, ExpressAuth(config) as express.RequestHandler);
    app.get('/', (_request, response) => void response.send('home'));
    app.get('/me', async (request, response) => {
      const found = (await getSession(request, { ...config, basePath: '/auth' })) as {
        sub: string;
        user: { email: string; name: string };
        kept: Kept;
      } | null;
      if (!found) {
        response.sendStatus(401);
        return;
      }
      const { sub, user, kept } = found;
      response.json({ sub, email: user.email, name: user.name, ...kept });
    });
    server.on('request', app);

    async function act(visitor: Visitor, path: string, body: Record<string, unknown>) {
      const { csrfToken } = (await visitor.open(`${url}/auth/csrf`)).json() as { csrfToken: string };
      return post(visitor, `${url}/auth/${path}`, { csrfToken, ...body });
    }

    return {
      begin: async (visitor) => (await act(visitor, 'signin/tessera', { callbackUrl: url })).location(),
      finish: expectHome,
      find: (visitor) => findMe(visitor, url),
      async renew(visitor) {
        const answer = await act(visitor, 'session', { data: {} });
        if (answer.status !== 200) throw new Error(answer.text);
      },
      async signOut(visitor) {
        const { idToken } = (await findMe(visitor, url)) as unknown as Kept;
        await act(visitor, 'signout', {});
        const endSession = new URL(metadata.end_session_endpoint);
        endSession.searchParams.set('id_token_hint', idToken);
        endSession.searchParams.set('post_logout_redirect_uri', url);
        return endSession;
      },
    };
  },
};
