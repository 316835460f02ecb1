import type { CallInput } from '../../packages/contract/src/index.ts';
import { sendForm, type Answer } from '../harness/send.ts';
import { createAuthorizationRequest, passSignInPages } from '../harness/sign-in.ts';
import type { ConfidentialApp, TokenAnswer } from '../harness/sign-in-world.ts';
import { basic, type Place } from './on-both-databases.ts';

type Fields = Partial<CallInput<'apps.create'>['body']>;

/** An app with the fields that a test is about, and the requests that it sends. */
export type OpenApp = ConfidentialApp & {
  /** Takes the administrator through the pages: where the app is answered. `fields`: of the consent form. */
  authorize(more?: Record<string, string | undefined>): Promise<{ answer: URL; codeVerifier: string }>;
  /** Through the pages to the token endpoint's answer. */
  redeem(more?: Record<string, string | undefined>, atToken?: Record<string, string>): Promise<Answer>;
  signIn(more?: Record<string, string | undefined>, atToken?: Record<string, string>): Promise<TokenAnswer>;
  token(form: Record<string, string>): Promise<Answer>;
  introspect(token: string): Promise<Record<string, unknown>>;
};

export async function openApp(place: Place, fields: Fields = {}): Promise<OpenApp> {
  const { world, tessera } = place;
  const { origin, api } = tessera.urls;
  const redirectUri = 'http://localhost:9/callback';
  const query = { teamId: world.team.id };
  const { id } = await world.call('apps.create', {
    query,
    body: {
      name: `App ${Math.random()}`,
      redirectUris: [redirectUri],
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      tokenEndpointAuthMethods: ['client_secret_basic'],
      signInAccess: 'anyone',
      ...fields,
    },
  });
  const { clientSecret } = await world.call('app-secrets.create', { params: { id }, query });
  const client = { clientId: id, clientSecret, redirectUri };
  const app: OpenApp = {
    ...client,
    async authorize(more = {}) {
      const { url, codeVerifier } = createAuthorizationRequest(origin, client, more);
      const answer = await passSignInPages(world.admin.visitor, url, world.admin);
      return { answer, codeVerifier };
    },
    async redeem(more = {}, atToken = {}) {
      const { answer, codeVerifier } = await app.authorize(more);
      const code = answer.searchParams.get('code');
      if (code === null) throw new Error(`no code in the answer: ${answer.search}`);
      return app.token({
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirectUri,
        code_verifier: codeVerifier,
        ...atToken,
      });
    },
    async signIn(more, atToken) {
      const answer = await app.redeem(more, atToken);
      if (answer.status !== 200) throw new Error(`the code was refused: ${answer.text}`);
      return answer.json() as TokenAnswer;
    },
    token: (form) => sendForm(`${api}/login/oauth/token`, form, basic(client)),
    introspect: async (token) =>
      (await sendForm(`${api}/login/oauth/token/introspect`, { token }, basic(client))).json() as Record<
        string,
        unknown
      >,
  };
  return app;
}

/** The payload of a JWT, unverified. */
export function claimsOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
}
