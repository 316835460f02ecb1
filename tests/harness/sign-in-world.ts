import { createClient, type Client } from '../../packages/contract/src/index.ts';
import { createApiToken, setUpPerson, type Person } from './front-door.ts';
import { createAuthorizationRequest, passSignInPages, type AuthorizationRequest } from './sign-in.ts';
import { sendForm, type Answer } from './send.ts';
import type { BaseUrls } from './tessera-environment.ts';
import type { Visitor } from './visitor.ts';

export type ConfidentialApp = { clientId: string; clientSecret: string; redirectUri: string };

export type SignInWorld = {
  admin: Person;
  apiToken: string;
  call: Client;
  team: { id: string; slug: string };
  app: ConfidentialApp;
  /** Takes the administrator through a sign-in to the app: the code, and the request it answers. */
  issueCode(visitor?: Visitor): Promise<{ code: string; request: AuthorizationRequest }>;
  /** Redeems a code at the token endpoint, at one of several processes if a port is given. */
  redeem(code: string, request: AuthorizationRequest, port?: number): Promise<Answer>;
  refresh(refreshToken: string, port?: number): Promise<Answer>;
  /** A whole sign-in: the token endpoint's answer. */
  signIn(): Promise<TokenAnswer>;
};

export type TokenAnswer = {
  access_token: string;
  refresh_token: string;
  id_token: string;
  token_type: string;
  expires_in: number;
  scope: string;
};

/** An administrator with a team and an app, set up through the front door of a new instance. */
export async function createSignInWorld(urls: BaseUrls, setUpLink: string | undefined): Promise<SignInWorld> {
  if (setUpLink === undefined) throw new Error('this instance has been set up already');
  const admin = await setUpPerson(setUpLink, {
    email: 'ada@acme.example',
    password: 'a long enough passphrase, 7 words',
    name: 'Ada Lovelace',
  });
  const apiToken = await createApiToken(urls.origin, admin, { name: 'set-up' });
  const call = createClient({ baseUrl: urls.api, token: apiToken });
  const team = await call('teams.create', { body: { slug: 'acme', name: 'Acme' } });
  const app = await createApp(call, team.id);
  const basic = Buffer.from(`${app.clientId}:${app.clientSecret}`).toString('base64');
  const ask = (fields: Record<string, string>, port?: number): Promise<Answer> =>
    sendForm(`${urls.api}/login/oauth/token`, fields, { authorization: `Basic ${basic}` }, port);

  const world: SignInWorld = {
    admin,
    apiToken,
    call,
    team: { id: team.id, slug: team.slug },
    app,
    async issueCode(visitor = admin.visitor) {
      const request = createAuthorizationRequest(urls.origin, app);
      const answer = await passSignInPages(visitor, request.url, admin);
      const code = answer.searchParams.get('code');
      if (code === null) throw new Error(`no code in the answer: ${answer.search}`);
      return { code, request };
    },
    redeem: (code, { codeVerifier }, port) =>
      ask(
        {
          grant_type: 'authorization_code',
          code,
          redirect_uri: app.redirectUri,
          code_verifier: codeVerifier,
        },
        port,
      ),
    refresh: (refreshToken, port) => ask({ grant_type: 'refresh_token', refresh_token: refreshToken }, port),
    async signIn() {
      const { code, request } = await world.issueCode();
      const answer = await world.redeem(code, request);
      if (answer.status !== 200) throw new Error(`the code was refused: ${answer.status} ${answer.text}`);
      return answer.json() as TokenAnswer;
    },
  };
  return world;
}

/** Another app of a team, with a secret. Nothing listens at its redirect URI: the tests read the redirect. */
export async function createApp(
  call: Client,
  teamId: string,
  more: { name?: string; redirectUri?: string } = {},
): Promise<ConfidentialApp> {
  const redirectUri = more.redirectUri ?? 'http://localhost:9/callback';
  const query = { teamId };
  const { id } = await call('apps.create', {
    query,
    body: {
      name: more.name ?? 'Reports',
      redirectUris: [redirectUri],
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      tokenEndpointAuthMethods: ['client_secret_basic'],
      signInAccess: 'anyone',
    },
  });
  const { clientSecret } = await call('app-secrets.create', { params: { id }, query });
  return { clientId: id, clientSecret, redirectUri };
}
