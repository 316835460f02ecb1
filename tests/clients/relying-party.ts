import { createServer, type Server } from 'node:http';
import { listen } from '../../examples/listen.ts';
import type { Client } from '../../packages/contract/src/index.ts';
import { send, type Answer } from '../harness/send.ts';
import type { Visitor } from '../harness/visitor.ts';

export type SignedIn = { sub: string; email: string; name: string; accessToken: string };

/** An app that signs people in with some library, as one browser meets it. */
export type RelyingParty = {
  /** The address at Tessera where a sign-in begins. */
  begin(visitor: Visitor): Promise<URL>;
  /** Takes what Tessera answered. */
  finish(visitor: Visitor, answer: URL): Promise<void>;
  /** Who is signed in here, if anybody is. */
  find(visitor: Visitor): Promise<SignedIn | undefined>;
  /** Renews the tokens with the refresh token. */
  renew(visitor: Visitor): Promise<void>;
  /** Ends the session here: the address at Tessera that ends the session there. */
  signOut(visitor: Visitor): Promise<URL>;
};

export type RelyingPartySettings = {
  /** Where the app is reached, without a trailing slash. */
  url: string;
  issuer: string;
  clientId: string;
  clientSecret: string;
};

/** What differs between the registrations of apps. */
export type AppRegistration = {
  name: string;
  redirectUris: string[];
  postLogoutRedirectUris: string[];
  backchannelLogoutUri?: string;
  tokenEndpointAuthMethods?: ('client_secret_basic' | 'client_secret_post' | 'none')[];
  requirePkce?: boolean;
};

export type ClientLibrary = {
  name: string;
  /** Below the app's address. */
  callbackPath: string;
  /** Below the app's address, for a library that wants to be told of logouts elsewhere. */
  backchannelLogoutPath?: string;
  /** What the app's registration has that is not the rule. */
  registration?: Pick<AppRegistration, 'tokenEndpointAuthMethods' | 'requirePkce'>;
  /** A library without a web framework leaves the server alone. */
  start(settings: RelyingPartySettings, server: Server): Promise<RelyingParty>;
};

/** Registers an app and starts it: in this order since each needs the other's address. */
export async function startRelyingParty(
  { name, callbackPath, backchannelLogoutPath, registration, start }: ClientLibrary,
  { call, teamId, issuer }: { call: Client; teamId: string; issuer: string },
): Promise<{ relyingParty: RelyingParty; homes: string[]; close(): Promise<void> }> {
  const server = createServer();
  const { url, close } = await listen(server, 0);
  const homes = [url, `${url}/`];
  const { clientId, clientSecret } = await registerApp(call, teamId, {
    name,
    redirectUris: [`${url}${callbackPath}`],
    postLogoutRedirectUris: homes,
    ...(backchannelLogoutPath === undefined
      ? {}
      : { backchannelLogoutUri: `${url}${backchannelLogoutPath}` }),
    ...registration,
  });
  const relyingParty = await start({ url, issuer, clientId, clientSecret }, server);
  return { relyingParty, homes, close };
}

/** A public app, whose one method is 'none', has no secret: it is answered empty. */
export async function registerApp(
  call: Client,
  teamId: string,
  app: AppRegistration,
): Promise<{ clientId: string; clientSecret: string }> {
  const query = { teamId };
  const { id } = await call('apps.create', {
    query,
    body: {
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      tokenEndpointAuthMethods: ['client_secret_basic'],
      signInAccess: 'anyone',
      ...app,
    },
  });
  if (app.tokenEndpointAuthMethods?.join() === 'none') return { clientId: id, clientSecret: '' };
  const { clientSecret } = await call('app-secrets.create', { params: { id }, query });
  return { clientId: id, clientSecret };
}

/** Sends what a script of the app's own page sends. */
export async function post(
  visitor: Visitor,
  url: string,
  body: Readonly<Record<string, unknown>>,
): Promise<Answer> {
  const target = new URL(url);
  const cookie = visitor.cookies.header(target);
  const answer = await send(target, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      origin: target.origin,
      'sec-fetch-site': 'same-origin',
      'sec-fetch-mode': 'cors',
      'sec-fetch-dest': 'empty',
      ...(cookie === undefined ? {} : { cookie }),
    },
    body: JSON.stringify(body),
  });
  visitor.cookies.store(target, answer.headers['set-cookie']);
  return answer;
}

/** For apps that tell at `/me` who is signed in. */
export async function findMe(visitor: Visitor, url: string): Promise<SignedIn | undefined> {
  const answer = await visitor.open(`${url}/me`, { accept: 'application/json' });
  if (answer.status === 401) return undefined;
  if (answer.status !== 200) throw new Error(`${url}/me answered ${answer.status}: ${answer.text}`);
  return answer.json() as SignedIn;
}

/** Answers a redirect of the app to a page of its own, or fails with what it says instead. */
export async function expectHome(visitor: Visitor, answer: URL): Promise<void> {
  const page = await visitor.visit(answer);
  if (page.status !== 200) throw new Error(`${page.url.href} answered ${page.status}: ${page.text}`);
}
