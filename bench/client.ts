import { send } from '../tests/harness/send.ts';
import type { AskedRequest } from './rounds.ts';

/** An app as the authorization server knows it. */
export type Client = { id: string; secret: string };

const form = { 'content-type': 'application/x-www-form-urlencoded' };

/** RFC 6749 section 2.3.1. */
function basicAuthorization({ id, secret }: Client): string {
  return `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;
}

type FormRequest = AskedRequest & { body: string };

/** A request to a token endpoint in the app's own name (RFC 6749 section 4.4). */
export function clientCredentialsRequest(tokenEndpoint: string, client: Client): FormRequest {
  return {
    url: tokenEndpoint,
    method: 'POST',
    headers: { ...form, authorization: basicAuthorization(client) },
    body: 'grant_type=client_credentials',
  };
}

/** A request to an introspection endpoint (RFC 7662 section 2.1). */
export function introspectionRequest(endpoint: string, client: Client, token: string): FormRequest {
  return {
    url: endpoint,
    method: 'POST',
    headers: { ...form, authorization: basicAuthorization(client) },
    body: new URLSearchParams({ token }).toString(),
  };
}

/** A request to a token endpoint whose body differs from one to the next (RFC 6749 sections 4.1.3 and 6). */
export function tokenRequest(tokenEndpoint: string, client: Client): AskedRequest {
  return {
    url: tokenEndpoint,
    method: 'POST',
    headers: { ...form, authorization: basicAuthorization(client) },
  };
}

/** A request to a userinfo endpoint (OpenID Connect Core section 5.3.1). */
export function userinfoRequest(url: string, accessToken: string): AskedRequest {
  return { url, method: 'GET', headers: { authorization: `Bearer ${accessToken}` } };
}

/** Gets one access token, and so shows that the request to be measured works. */
export async function getAccessToken(tokenEndpoint: string, client: Client): Promise<string> {
  const { url, ...request } = clientCredentialsRequest(tokenEndpoint, client);
  const answer = await send(url, request);
  const { access_token: token } = answer.json() as { access_token?: string };
  if (token === undefined) throw new Error(`no access token, but ${answer.status}: ${answer.text}`);
  return token;
}
