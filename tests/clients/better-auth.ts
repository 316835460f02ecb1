import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { toNodeHandler } from 'better-auth/node';
import { genericOAuth } from 'better-auth/plugins';
import type { Answer } from '../harness/send.ts';
import type { Visitor } from '../harness/visitor.ts';
import { expectHome, post, type ClientLibrary } from './relying-party.ts';

/** https://www.better-auth.com with its generic OAuth plugin. */
export const betterAuthGeneric: ClientLibrary = {
  name: 'better-auth',
  callbackPath: '/api/auth/callback/tessera',
  async start({ url, issuer, clientId, clientSecret }, server) {
    const auth = betterAuth({
      baseURL: url,
      secret: 'a secret of the app, long enough for a test',
      database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
      telemetry: { enabled: false },
      rateLimit: { enabled: false },
      plugins: [
        genericOAuth({
          config: [
            {
              providerId: 'tessera',
              discoveryUrl: `${issuer}/.well-known/openid-configuration`,
              requireIdTokenVerification: true,
              clientId,
              clientSecret,
              scopes: ['openid', 'profile', 'email', 'offline_access'],
              tokenEndpointAuth: { method: 'client_secret_basic' },
            },
          ],
        }),
      ],
    });
    const handler = toNodeHandler(auth);
    server.on('request', (request, response) => {
      if (request.url?.startsWith('/api/auth/')) void handler(request, response);
      else response.end('home');
    });

    async function ask(visitor: Visitor, path: string, body: Record<string, unknown>): Promise<Answer> {
      const answer = await post(visitor, `${url}/api/auth/${path}`, body);
      if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${answer.text}`);
      return answer;
    }
    async function findAccount(visitor: Visitor): Promise<{ id: string; accountId: string } | undefined> {
      const answer = await visitor.open(`${url}/api/auth/list-accounts`);
      return answer.status === 401 ? undefined : (answer.json() as { id: string; accountId: string }[])[0];
    }

    return {
      async begin(visitor) {
        const answer = await ask(visitor, 'sign-in/social', { provider: 'tessera', callbackURL: url });
        return new URL((answer.json() as { url: string }).url);
      },
      finish: expectHome,
      async find(visitor) {
        const account = await findAccount(visitor);
        if (!account) return undefined;
        const session = (await visitor.open(`${url}/api/auth/get-session`)).json() as {
          user: { email: string; name: string };
        };
        const tokens = (await ask(visitor, 'get-access-token', { accountId: account.id })).json() as {
          accessToken: string;
        };
        const { email, name } = session.user;
        return { sub: account.accountId, email, name, accessToken: tokens.accessToken };
      },
      async renew(visitor) {
        const account = await findAccount(visitor);
        await ask(visitor, 'refresh-token', { accountId: account?.id });
      },
      async signOut(visitor) {
        const answer = await ask(visitor, 'sign-out', { callbackURL: url });
        return new URL((answer.json() as { url: string }).url);
      },
    };
  },
};
