import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { expect } from 'vitest';
import { send, sendForm, type Answer } from '../harness/send.ts';
import { createKey, type ClientKey } from './fapi2.ts';
import {
  codeOf,
  type Metadata,
  type Parameters,
  type Suite,
  type SuiteClient,
  type Tokens,
} from './suite.ts';

export type RegisteredClient = SuiteClient & { key: ClientKey; registered: Record<string, unknown> };
/** What an assertion names: the key, and whom it is for (the token endpoint, as the suite has it). */
export type Asserting = { kid?: string; audience?: string };
export type DynamicClients = ReturnType<typeof createDynamicClients>;

/** Documents that clients publish, by path; a listener on loopback, which stands for the suite's own host. */
export type Publisher = { base: string; documents: Map<string, unknown>; close(): void };

export async function startPublisher(): Promise<Publisher> {
  const documents = new Map<string, unknown>();
  const server: Server = createServer((request, response) => {
    const document = documents.get(request.url ?? '');
    response.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document ?? {}));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { base: `http://localhost:${port}`, documents, close: () => server.close() };
}

/** Clients that register themselves, and authenticate by private_key_jwt with RS256, as the suite's do. */
export function createDynamicClients(suite: Suite) {
  const metadata = suite.metadata as Metadata & { registration_endpoint: string };
  let count = 0;

  /** Sends a registration as the suite does; `more` replaces members, `undefined` takes one out. */
  async function tryToRegister(
    more: Record<string, unknown> = {},
  ): Promise<{ answer: Answer; key: ClientKey }> {
    const key = await createKey('RS256');
    count += 1;
    const answer = await send(metadata.registration_endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        client_name: `Dynamic ${count}`,
        redirect_uris: [`https://dynamic-${count}.client.example/callback`],
        response_types: ['code'],
        grant_types: ['authorization_code'],
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [{ ...key.publicJwk, alg: 'RS256', use: 'sig', kid: `key-${count}` }] },
        contacts: ['certification@client.example'],
        // Of our own: the suite's clients know no PKCE, and write the token endpoint into their assertions. We want
        // better of every client that does not say so.
        require_pkce: false,
        strict_assertion_audience: false,
        ...more,
      }),
    });
    return { answer, key };
  }

  async function createAssertion(
    client: RegisteredClient,
    { kid, audience = metadata.token_endpoint }: Asserting = {},
  ): Promise<string> {
    const now = Math.floor((Date.now() + suite.aheadMilliseconds) / 1000);
    return new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: 'RS256', ...(kid === undefined ? {} : { kid }) })
      .setIssuer(client.clientId)
      .setSubject(client.clientId)
      .setAudience(audience)
      .setIssuedAt(now)
      .setExpirationTime(now + 60)
      .sign(client.key.privateKey);
  }

  async function authenticate(
    client: RegisteredClient,
    asserting?: Asserting,
  ): Promise<Record<string, string>> {
    return {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await createAssertion(client, asserting),
    };
  }

  const clients = {
    metadata,
    tryToRegister,
    createAssertion,

    async register(more: Record<string, unknown> = {}): Promise<RegisteredClient> {
      const { answer, key } = await tryToRegister(more);
      expect(answer.status, answer.text).toBe(201);
      expect(answer.headers['content-type']).toMatch(/^application\/json/);
      const registered = answer.json() as Record<string, unknown> & {
        client_id: string;
        redirect_uris: string[];
      };
      const [redirectUri = ''] = registered.redirect_uris;
      return { clientId: registered.client_id, clientSecret: '', redirectUri, key, registered };
    },

    /** From a request to tokens, with what the ID token must say. */
    async signIn(client: RegisteredClient, more: Parameters = {}, asserting?: Asserting) {
      const authorization = await suite.authorize(more, suite.loggedIn, client);
      const answer = await sendForm(metadata.token_endpoint, {
        grant_type: 'authorization_code',
        code: codeOf(suite, authorization),
        redirect_uri: client.redirectUri,
        ...(await authenticate(client, asserting)),
      });
      expect(answer.status, answer.text).toBe(200);
      const tokens = answer.json() as Tokens;
      const claims = await suite.verifyIdToken(tokens.id_token, client);
      expect(claims['nonce']).toBe(authorization.nonce);
      return { authorization, tokens, claims };
    },

    refresh: async (client: RegisteredClient, refreshToken: string, asserting?: Asserting): Promise<Answer> =>
      sendForm(metadata.token_endpoint, {
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
        ...(await authenticate(client, asserting)),
      }),

    /** What a person sees first: opens the authorization endpoint in a new browser, and follows to the page. */
    authorizationUrl(client: RegisteredClient, more: Parameters = {}): URL {
      const url = new URL(metadata.authorization_endpoint);
      url.search = new URLSearchParams(suite.request(more, client).parameters).toString();
      return url;
    },
  };
  return clients;
}
