import { createHash, randomBytes } from 'node:crypto';
import { logIn } from './front-door.ts';
import { findText, textOf } from './html.ts';
import type { Answer } from './send.ts';
import { isRedirect, type Visitor } from './visitor.ts';

export type Account = { email: string; password: string };

/**
 * Takes a visitor from the authorization endpoint through login and consent, where they are asked for, to the
 * address that the app is answered at. Fails with the words of whatever page stands in between.
 */
export async function passSignInPages(
  visitor: Visitor,
  authorizationUrl: URL | string,
  account: Account,
): Promise<URL> {
  const redirectUri = new URL(authorizationUrl).searchParams.get('redirect_uri');
  if (redirectUri === null) throw new Error('the authorization request has no redirect_uri');
  const isAnswer = (url: URL): boolean => url.href.split('?', 1)[0] === redirectUri;
  let answer = await visitor.visit(authorizationUrl, isAnswer);
  for (let page = 0; page < 4; page++) {
    if (isRedirect(answer)) return answer.location();
    answer = await visitor.follow(await submitPage(visitor, answer, account), isAnswer);
  }
  throw new Error(`the pages of the sign-in lead round in a circle: ${answer.url.href}`);
}

function submitPage(visitor: Visitor, page: Answer, account: Account): Promise<Answer> {
  if (/<form\b[^>]*\bid="login"/.test(page.text)) return logIn(visitor, page, account);
  if (/<form\b[^>]*\bid="consent"/.test(page.text)) {
    return visitor.submit(page, 'consent', {}, 'consent-allow');
  }
  const reason = findText(page.text, 'error-description') ?? textOf(page.text).slice(0, 500);
  throw new Error(`the sign-in stopped with ${page.status} at ${page.url.href}: ${reason}`);
}

export type AuthorizationRequest = {
  url: URL;
  codeVerifier: string;
  state: string;
  nonce: string;
};

/** An authorization request with PKCE, for tests that speak the protocol themselves. `more` replaces parameters. */
export function createAuthorizationRequest(
  origin: string,
  client: { clientId: string; redirectUri: string },
  more: Readonly<Record<string, string | undefined>> = {},
): AuthorizationRequest {
  const codeVerifier = randomBytes(32).toString('base64url');
  const state = randomBytes(12).toString('base64url');
  const nonce = randomBytes(12).toString('base64url');
  const url = new URL(`${origin}/oauth/authorize`);
  const parameters: Record<string, string | undefined> = {
    client_id: client.clientId,
    redirect_uri: client.redirectUri,
    response_type: 'code',
    scope: 'openid profile email offline_access',
    state,
    nonce,
    code_challenge: createHash('sha256').update(codeVerifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  };
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return { url, codeVerifier, state, nonce };
}
