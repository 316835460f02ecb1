import { createSignInWorld, type SignInWorld, type TokenAnswer } from '../tests/harness/sign-in-world.ts';
import { createAuthorizationRequest, passSignInPages } from '../tests/harness/sign-in.ts';
import { send } from '../tests/harness/send.ts';
import type { BaseUrls } from '../tests/harness/tessera-environment.ts';
import type { CallInput } from '../packages/contract/src/index.ts';
import { tokenRequest, type Client } from './client.ts';
import { connections } from './rounds.ts';
import { startSetUp } from './tessera.ts';

type AppFields = Partial<CallInput<'apps.create'>['body']>;

/** An app that people sign in to, and somebody who has done so and allowed it. */
export type SignIn = {
  client: Client;
  /** So many bodies of requests to the token endpoint, each with a code of its own; they live for a minute. */
  issueCodeBodies(count: number): Promise<string[]>;
  /** A whole sign-in. */
  signIn(): Promise<Partial<TokenAnswer>>;
};

/** Ours, with a person in it who can sign in to apps. */
export async function startWorld(say: (line: string) => void) {
  const { made: world, ...running } = await startSetUp(say, createSignInWorld);
  return { ...running, world };
}

export async function createSignIn(
  urls: BaseUrls,
  world: SignInWorld,
  scope: string,
  fields: AppFields = {},
): Promise<SignIn> {
  const redirectUri = 'http://localhost:9/callback';
  const query = { teamId: world.team.id };
  const { id } = await world.call('apps.create', {
    query,
    body: {
      name: `Bench ${JSON.stringify(fields)}`,
      redirectUris: [redirectUri],
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      tokenEndpointAuthMethods: ['client_secret_basic'],
      signInAccess: 'anyone',
      ...fields,
    },
  });
  const { clientSecret } = await world.call('app-secrets.create', { params: { id }, query });
  const client: Client = { id, secret: clientSecret };

  async function issueCodeBody(): Promise<string> {
    const { url, codeVerifier } = createAuthorizationRequest(
      urls.origin,
      { clientId: id, redirectUri },
      { scope },
    );
    const answer = await passSignInPages(world.admin.visitor, url, world.admin);
    const code = answer.searchParams.get('code');
    if (code === null) throw new Error(`no code in the answer: ${answer.search}`);
    return new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      code_verifier: codeVerifier,
    }).toString();
  }

  // The first asks for consent; those after it go straight through.
  await issueCodeBody();

  return {
    client,
    async issueCodeBodies(count) {
      const bodies: string[] = [];
      const issueSome = async (): Promise<void> => {
        while (bodies.length < count) bodies.push(await issueCodeBody());
      };
      await Promise.all(Array.from({ length: connections }, issueSome));
      return bodies.slice(0, count);
    },
    async signIn() {
      const { url, ...request } = tokenRequest(`${urls.api}/login/oauth/token`, client);
      const answer = await send(url, { ...request, body: await issueCodeBody() });
      if (answer.status !== 200) throw new Error(`the code was refused: ${answer.text}`);
      return answer.json() as Partial<TokenAnswer>;
    },
  };
}
