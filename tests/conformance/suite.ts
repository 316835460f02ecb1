import { createHash, randomBytes } from 'node:crypto';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose';
import { expect } from 'vitest';
import type { CallInput } from '../../packages/contract/src/index.ts';
import type { Logger } from '../../packages/server/src/logger/index.ts';
import { logIn } from '../harness/front-door.ts';
import { findPostedForm, textOf } from '../harness/html.ts';
import { send, sendForm, type Answer } from '../harness/send.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { startTessera } from '../harness/start-tessera.ts';
import type { DatabaseKind } from '../harness/test-databases.ts';
import { isRedirect, type Visitor } from '../harness/visitor.ts';

export type SuiteClient = {
  clientId: string;
  clientSecret: string;
  redirectUri: string;
};

export type Metadata = Record<string, unknown> & {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
  userinfo_endpoint: string;
  jwks_uri: string;
  scopes_supported: string[];
};

export type Parameters = Readonly<Record<string, string | undefined>>;
/** What was sent to the authorization endpoint and what came of it. */
export type Authorization = {
  state: string;
  nonce: string;
  visitor: Visitor;
  /** The forms a person filled in on the way, by id. */
  pages: string[];
  /** What the client got at its redirect URI; undefined when the way ended on a page of the server. */
  parameters: Record<string, string> | undefined;
  page: Answer | undefined;
};
export type Tokens = {
  access_token: string;
  refresh_token?: string;
  id_token: string;
  token_type: string;
  expires_in: number;
  scope: string;
};
export type SuiteOptions = {
  responseMode?: 'query' | 'form_post';
  /** Further variables of the instance. */
  variables?: Readonly<Record<string, string>>;
  logger?: Logger;
};

export type Suite = Awaited<ReturnType<typeof startSuite>>;

/** What the Foundation's suite brings: clients without PKCE, a person, browsers; here with one instance of ours. */
export async function startSuite(
  kind: DatabaseKind,
  { responseMode = 'query', ...options }: SuiteOptions = {},
) {
  const tessera = await startTessera(kind, options);
  const world = await createSignInWorld(tessera.urls, tessera.setUpLink);
  const metadata = (await send(`${tessera.urls.origin}/.well-known/openid-configuration`)).json() as Metadata;
  const first = await createClient(world, { name: 'First' });
  const second = await createClient(world, { name: 'Second' });
  const { visitor: loggedIn } = world.admin;

  /** Goes through login and consent, where asked, to the client or to a page of the server. */
  async function walk(visitor: Visitor, start: Answer, redirectUri: string) {
    const isAnswer = (url: URL): boolean => url.href.split('?', 1)[0] === redirectUri.split('?', 1)[0];
    const pages: string[] = [];
    let answer = await visitor.follow(start, isAnswer);
    for (let page = 0; page < 4; page++) {
      if (isRedirect(answer)) {
        return { pages, parameters: Object.fromEntries(answer.location().searchParams), page: undefined };
      }
      const posted = findPostedForm(answer.text, redirectUri);
      if (posted !== undefined) return { pages, parameters: posted, page: undefined };
      const form = ['login', 'consent'].find((id) =>
        new RegExp(`<form\\b[^>]*\\bid="${id}"`).test(answer.text),
      );
      if (form === undefined) return { pages, parameters: undefined, page: answer };
      pages.push(form);
      const sent =
        form === 'login'
          ? logIn(visitor, answer, world.admin)
          : visitor.submit(answer, 'consent', {}, 'consent-allow');
      answer = await visitor.follow(await sent, isAnswer);
    }
    throw new Error(`the pages of the sign-in lead round in a circle: ${answer.url.href}`);
  }

  const suite = {
    tessera,
    world,
    metadata,
    /** Registered with client_secret_basic and client_secret_post. */
    first,
    second,
    /** A browser in which the person is logged in. */
    loggedIn,

    async authorize(more: Parameters = {}, visitor: Visitor = loggedIn, client: SuiteClient = first) {
      const { state, nonce, parameters } = suite.request(more, client);
      const url = new URL(metadata.authorization_endpoint);
      url.search = new URLSearchParams(parameters).toString();
      return suite.passPages(await visitor.open(url), {
        state,
        nonce,
        visitor,
        redirectUri: client.redirectUri,
      });
    },

    /** The parameters of a request as the suite sends it: state and nonce, no PKCE. `more` replaces some. */
    request(more: Parameters = {}, client: SuiteClient = first) {
      const state = randomBytes(8).toString('base64url');
      const nonce = randomBytes(8).toString('base64url');
      const parameters = Object.entries({
        client_id: client.clientId,
        redirect_uri: client.redirectUri,
        response_type: 'code',
        scope: 'openid',
        state,
        nonce,
        ...(responseMode === 'query' ? {} : { response_mode: responseMode }),
        ...more,
      }).filter((entry): entry is [string, string] => entry[1] !== undefined);
      return { state, nonce, parameters };
    },

    async passPages(
      start: Answer,
      {
        state,
        nonce,
        visitor,
        redirectUri,
      }: { state: string; nonce: string; visitor: Visitor; redirectUri: string },
    ): Promise<Authorization> {
      return { state, nonce, visitor, ...(await walk(visitor, start, redirectUri)) };
    },

    /** At the token endpoint, by client_secret_basic. */
    redeem: (code: string, more: Readonly<Record<string, string>> = {}, client: SuiteClient = first) =>
      sendForm(
        metadata.token_endpoint,
        { grant_type: 'authorization_code', code, redirect_uri: client.redirectUri, ...more },
        basic(client),
      ),

    refresh: (refreshToken: string, client: SuiteClient = first) =>
      sendForm(
        metadata.token_endpoint,
        { grant_type: 'refresh_token', refresh_token: refreshToken },
        basic(client),
      ),

    /** A whole sign-in with all checks of answer, tokens and ID token. */
    async signIn(more: Parameters = {}, visitor: Visitor = loggedIn, client: SuiteClient = first) {
      const authorization = await suite.authorize(more, visitor, client);
      return { ...(await suite.finish(authorization, {}, client)), authorization };
    },

    /** Redeems what an authorization gave. */
    async finish(
      authorization: Authorization,
      more: Readonly<Record<string, string>> = {},
      client: SuiteClient = first,
    ) {
      const answer = await suite.redeem(codeOf(suite, authorization), more, client);
      expect(answer.status, answer.text).toBe(200);
      expect(answer.headers['cache-control']).toContain('no-store');
      const tokens = answer.json() as Tokens;
      expect(tokens.token_type.toLowerCase()).toBe('bearer');
      const claims = await suite.verifyIdToken(tokens.id_token, client);
      if (claims['at_hash'] !== undefined) {
        const half = createHash('sha256').update(tokens.access_token).digest().subarray(0, 16);
        expect(claims['at_hash']).toBe(half.toString('base64url'));
      }
      return { tokens, claims };
    },

    /** OpenID Connect Core 3.1.3.7; gives the claims. */
    async verifyIdToken(idToken: string, client: { clientId: string } = first): Promise<JWTPayload> {
      const keySet = (await send(metadata.jwks_uri)).json() as JSONWebKeySet;
      const { payload } = await jwtVerify(idToken, createLocalJWKSet(keySet), {
        issuer: metadata.issuer,
        audience: client.clientId,
        requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat'],
        // The clock of the instance is ahead of the machine's by what the tests moved it.
        currentDate: new Date(Date.now() + suite.aheadMilliseconds),
        clockTolerance: 5,
      });
      return payload;
    },

    userinfo: (accessToken: string, method: 'GET' | 'POST' = 'GET') =>
      send(metadata.userinfo_endpoint, { method, headers: { authorization: `Bearer ${accessToken}` } }),

    aheadMilliseconds: 0,
    advance(milliseconds: number): void {
      suite.aheadMilliseconds += milliseconds;
      tessera.advance(milliseconds);
    },
    close: () => tessera.close(),
  };
  return suite;
}

/** The code of an answer that has to be a success: with our state and the issuer. */
export function codeOf(suite: Pick<Suite, 'metadata'>, { parameters, state, page }: Authorization): string {
  expect(parameters, page && textOf(page.text)).toMatchObject({ state, iss: suite.metadata.issuer });
  expect(parameters).not.toHaveProperty('error');
  expect(parameters?.['code']).toMatch(/^[\w-]{22,}$/);
  return parameters?.['code'] ?? '';
}

/** An error that came back to the client, in OAuth's words and with our state and the issuer. */
export function expectError(suite: Pick<Suite, 'metadata'>, outcome: Authorization, error: string): void {
  const { parameters, state, page } = outcome;
  expect(parameters, page && textOf(page.text)).toMatchObject({ error, state, iss: suite.metadata.issuer });
  expect(parameters).not.toHaveProperty('code');
}

export function basic(client: { clientId: string; clientSecret: string }): Record<string, string> {
  const pair = `${encodeURIComponent(client.clientId)}:${encodeURIComponent(client.clientSecret)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** Registers a client with a secret, whose redirect URI nobody listens at: the answers are read from the redirects. */
export async function createClient(
  { call, team }: Pick<SignInWorld, 'call' | 'team'>,
  { name, ...more }: Partial<CallInput<'apps.create'>['body']> & { name: string },
): Promise<SuiteClient> {
  const redirectUri = more.redirectUris?.[0] ?? `https://${name.toLowerCase()}.client.example/callback`;
  const query = { teamId: team.id };
  const { id } = await call('apps.create', {
    query,
    body: {
      name,
      redirectUris: [redirectUri],
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      tokenEndpointAuthMethods: ['client_secret_basic', 'client_secret_post'],
      signInAccess: 'anyone',
      requirePkce: false,
      ...more,
    },
  });
  const { clientSecret } = await call('app-secrets.create', { params: { id }, query });
  return { clientId: id, clientSecret, redirectUri };
}
