import { createAuthorizationRequest, passSignInPages, type Account } from './sign-in.ts';
import { sendForm } from './send.ts';
import type { TokenAnswer } from './sign-in-world.ts';
import { createVisitor, type Visitor } from './visitor.ts';

/** The public client that instances seed, which `@vercel/oidc` has built in. */
export const commandLineClientId = 'cl_HYyOPBNtFMfHhaUn9L4QPfTZz6TP47bp';

/** Logs in as the command line does: a loopback address on some port, PKCE, no secret (RFC 8252). */
export async function logInCommandLine(
  urls: { origin: string; api: string },
  account: Account,
  {
    clientId = commandLineClientId,
    redirectUri = 'http://127.0.0.1:53682/callback',
    visitor = createVisitor(),
  }: { clientId?: string; redirectUri?: string; visitor?: Visitor } = {},
): Promise<TokenAnswer> {
  const request = createAuthorizationRequest(urls.origin, { clientId, redirectUri });
  const answer = await passSignInPages(visitor, request.url, account);
  const code = answer.searchParams.get('code');
  if (code === null) throw new Error(`no code in the answer: ${answer.search}`);
  const tokens = await sendForm(`${urls.api}/login/oauth/token`, {
    grant_type: 'authorization_code',
    client_id: clientId,
    code,
    redirect_uri: redirectUri,
    code_verifier: request.codeVerifier,
  });
  if (tokens.status !== 200) throw new Error(`no tokens, but ${tokens.status}: ${tokens.text}`);
  return tokens.json() as TokenAnswer;
}
