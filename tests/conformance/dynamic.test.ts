import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterAll, beforeAll, expect } from 'vitest';
import { textOf } from '../harness/html.ts';
import { send, type Answer } from '../harness/send.ts';
import { createVisitor } from '../harness/visitor.ts';
import { verifyDiscovery } from './discovery.ts';
import {
  createDynamicClients,
  startPublisher,
  type DynamicClients,
  type Publisher,
} from './dynamic-clients.ts';
import { createKey } from './fapi2.ts';
import { describePlan, type DefineModule } from './plan.ts';
import { plans } from './plans.ts';
import { expectError, type Suite, type Tokens } from './suite.ts';

let publisher: Publisher;
describePlan(plans.dynamic, 'sqlite', defineModules, { variables: { TESSERA_DYNAMIC_REGISTRATION: 'on' } });

type DefineDynamic = (name: string, run: (clients: DynamicClients, suite: Suite) => Promise<void>) => void;

function defineModules(module: DefineModule): void {
  beforeAll(async () => {
    publisher = await startPublisher();
  });
  afterAll(() => publisher?.close());

  let clients: DynamicClients | undefined;
  const define: DefineDynamic = (name, run) =>
    module(name, (suite) => run((clients ??= createDynamicClients(suite)), suite));
  defineTokenModules(define);
  defineRedirectModules(define);
  defineRegistrationModules(define);
  defineKeyModules(define);
}

function defineTokenModules(define: DefineDynamic): void {
  define('oidcc-discovery-endpoint-verification', async ({ metadata }) => {
    const document = await verifyDiscovery(metadata.issuer);
    expect(document['registration_endpoint']).toBe(metadata.registration_endpoint);
    expect(document['token_endpoint_auth_methods_supported']).toContain('private_key_jwt');
  });

  define('oidcc-server', async (clients, suite) => {
    const client = await clients.register();
    expect(client.registered).toMatchObject({
      token_endpoint_auth_method: 'private_key_jwt',
      registration_access_token: expect.any(String) as string,
      registration_client_uri: expect.stringContaining(client.clientId) as string,
    });
    expect(client.registered).not.toHaveProperty('client_secret');
    const { tokens, claims } = await clients.signIn(client);
    expect((await suite.userinfo(tokens.access_token)).json()).toMatchObject({ sub: claims.sub });
  });

  define('oidcc-idtoken-rs256', async (clients) => {
    const { tokens } = await clients.signIn(
      await clients.register({ id_token_signed_response_alg: 'RS256' }),
    );
    expect(decodeProtectedHeader(tokens.id_token).alg).toBe('RS256');
  });

  define('oidcc-idtoken-unsigned', async (clients) => {
    // The suite asks only a server that promises it; ours refuses it where it is registered.
    expect(clients.metadata['id_token_signing_alg_values_supported']).not.toContain('none');
    expectInvalid((await clients.tryToRegister({ id_token_signed_response_alg: 'none' })).answer);
  });

  define('oidcc-userinfo-rs256', async (clients, suite) => {
    expect(clients.metadata['userinfo_signing_alg_values_supported']).toContain('RS256');
    const client = await clients.register({ userinfo_signed_response_alg: 'RS256' });
    const { tokens, claims } = await clients.signIn(client);
    const answer = await suite.userinfo(tokens.access_token);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^application\/jwt/);
    const keySet = (await send(clients.metadata.jwks_uri)).json() as JSONWebKeySet;
    const { payload, protectedHeader } = await jwtVerify(answer.text, createLocalJWKSet(keySet), {
      issuer: clients.metadata.issuer,
      audience: client.clientId,
      currentDate: new Date(Date.now() + suite.aheadMilliseconds),
    });
    expect(protectedHeader.alg).toBe('RS256');
    expect(payload.sub).toBe(claims.sub);
    expect(payload).not.toHaveProperty('nonce');
  });

  define('oidcc-ensure-client-assertion-with-iss-aud-succeeds', async (clients) => {
    // The audience that this server wants of every client that says nothing else.
    const client = await clients.register({ strict_assertion_audience: undefined });
    const { tokens } = await clients.signIn(client, {}, { audience: clients.metadata.issuer });
    expect(tokens.access_token).toBeTypeOf('string');
  });

  define('oidcc-ensure-request-object-with-redirect-uri', async (clients, suite) => {
    const client = await clients.register();
    const request = 'eyJhbGciOiJub25lIn0.e30.';
    // An app that nobody verified is told of errors only once somebody has logged in.
    expectError(suite, await suite.authorize({ request }, suite.loggedIn, client), 'request_not_supported');
  });

  define('oidcc-refresh-token', async (clients, suite) => {
    const register = () => clients.register({ grant_types: ['authorization_code', 'refresh_token'] });
    const [client, other] = [await register(), await register()];
    const asked = { scope: 'openid offline_access', prompt: 'consent' };
    const { tokens, claims } = await clients.signIn(client, asked);
    const answer = await clients.refresh(client, tokens.refresh_token ?? '');
    expect(answer.status, answer.text).toBe(200);
    const renewed = answer.json() as Tokens;
    expect((await suite.verifyIdToken(renewed.id_token, client)).sub).toBe(claims.sub);
    const stolen = await clients.refresh(other, renewed.refresh_token ?? '');
    expect(stolen.json()).toMatchObject({ error: 'invalid_grant' });
  });
}

function defineRedirectModules(define: DefineDynamic): void {
  const callback = 'https://query.client.example/callback?foo=bar';

  async function expectErrorPage(url: URL): Promise<void> {
    const answer = await createVisitor().visit(url);
    expect(answer.status).toBe(400);
    expect(answer.url.href.startsWith('https://query.')).toBe(false);
  }

  define('oidcc-redirect-uri-query-OK', async (clients) => {
    const client = await clients.register({ redirect_uris: [callback] });
    const { authorization } = await clients.signIn(client);
    expect(authorization.parameters).toMatchObject({ foo: 'bar' });
  });

  for (const [name, redirectUri] of [
    ['mismatch', callback.replace('bar', 'other')],
    ['added', `${callback}&more=x`],
  ] as const) {
    define(`oidcc-redirect-uri-query-${name}`, async (clients) => {
      const client = await clients.register({ redirect_uris: [callback] });
      await expectErrorPage(clients.authorizationUrl(client, { redirect_uri: redirectUri }));
    });
  }

  define('oidcc-ensure-redirect-uri-in-authorization-request', async (clients) => {
    const client = await clients.register({ redirect_uris: [callback] });
    await expectErrorPage(clients.authorizationUrl(client, { redirect_uri: undefined }));
  });

  define('oidcc-redirect-uri-regfrag', async (clients) => {
    const { answer } = await clients.tryToRegister({ redirect_uris: [`${callback}#fragment`] });
    expectInvalid(answer, 'invalid_redirect_uri');
  });
}

function defineRegistrationModules(define: DefineDynamic): void {
  // The suite wants a picture of a page that shows them. Addresses of a stranger are shown as text; their logo is
  // neither fetched nor loaded, for it could be anybody's.
  for (const name of ['logo', 'policy', 'tos']) {
    define(`oidcc-registration-${name}-uri`, async (clients, suite) => {
      const uri = `https://dynamic.client.example/${name}`;
      const client = await clients.register({ [`${name}_uri`]: uri });
      expect(client.registered[`${name}_uri`]).toBe(uri);
      const page = await suite.loggedIn.visit(clients.authorizationUrl(client));
      expect(page.status, textOf(page.text)).toBe(200);
      expect(textOf(page.text)).toContain(String(client.registered['client_name']));
      expect(textOf(page.text).includes(uri)).toBe(name !== 'logo');
      expect(page.text).not.toMatch(/(src|href)="https:\/\/dynamic\.client\.example/);
    });
  }

  define('oidcc-registration-sector-uri', async (clients) => {
    // The suite asks only a server with pairwise subjects. Ours are public; the document is read all the same.
    expect(clients.metadata['subject_types_supported']).toEqual(['public']);
    publisher.documents.set('/redirect_uris.json', ['https://sector.client.example/callback']);
    const client = await clients.register({
      redirect_uris: ['https://sector.client.example/callback'],
      sector_identifier_uri: `${publisher.base}/redirect_uris.json`,
    });
    await clients.signIn(client);
  });

  define('oidcc-registration-sector-bad', async (clients) => {
    publisher.documents.set('/others.json', ['https://other.client.example/callback']);
    const { answer } = await clients.tryToRegister({
      sector_identifier_uri: `${publisher.base}/others.json`,
    });
    expectInvalid(answer);
    expectInvalid((await clients.tryToRegister({ subject_type: 'pairwise' })).answer);
  });
}

function defineKeyModules(define: DefineDynamic): void {
  async function publishKey(path: string, kid: string) {
    const key = await createKey('RS256');
    publisher.documents.set(path, { keys: [{ ...key.publicJwk, alg: 'RS256', use: 'sig', kid }] });
    return key;
  }

  define('oidcc-registration-jwks-uri', async (clients) => {
    const key = await publishKey('/jwks', 'first');
    const client = await clients.register({ jwks: undefined, jwks_uri: `${publisher.base}/jwks` });
    await clients.signIn({ ...client, key }, {}, { kid: 'first' });
  });

  define('oidcc-server-rotate-keys', async (clients, suite) => {
    const readKeySet = async () => (await send(clients.metadata.jwks_uri)).json() as JSONWebKeySet;
    const kids = ({ keys }: JSONWebKeySet) => keys.map(({ kid }) => kid);
    const client = await clients.register({ id_token_signed_response_alg: 'RS256' });
    const before = await readKeySet();
    const { tokens: old } = await clients.signIn(client);
    const oldKid = decodeProtectedHeader(old.id_token).kid;

    // What an operator does by hand, as the suite asks them to.
    const { keys } = await suite.world.call('signing-keys.rotate', { body: { purpose: 'id-token' } });
    const made = keys.map(({ kid }) => kid);
    const published = await readKeySet();
    expect(kids(published)).toEqual(expect.arrayContaining([...kids(before), ...made]));
    expect(kids(published)).toHaveLength(before.keys.length + made.length);
    const { tokens: meanwhile } = await clients.signIn(client);
    expect(decodeProtectedHeader(meanwhile.id_token).kid).toBe(oldKid);

    suite.advance(25 * 3_600_000);
    const { tokens } = await clients.signIn(client, { prompt: 'consent' });
    const { kid } = decodeProtectedHeader(tokens.id_token);
    expect(made).toContain(kid);
    // The suite reads the key set anew: the new key verifies, and the old one is kept for what it signed.
    const after = await readKeySet();
    const verify = (token: string) =>
      jwtVerify(token, createLocalJWKSet(after), {
        issuer: clients.metadata.issuer,
        currentDate: new Date((decodeJwt(token).iat ?? 0) * 1000),
      });
    await verify(tokens.id_token);
    await verify(old.id_token);
    expect(kids(after)).toEqual(expect.arrayContaining([oldKid, kid]));
  });

  define('oidcc-refresh-token-rp-key-rotation', async (clients, suite) => {
    const key = await publishKey('/rotating', 'before');
    const client = await clients.register({
      jwks: undefined,
      jwks_uri: `${publisher.base}/rotating`,
      grant_types: ['authorization_code', 'refresh_token'],
    });
    const asked = { scope: 'openid offline_access', prompt: 'consent' };
    const { tokens } = await clients.signIn({ ...client, key }, asked, { kid: 'before' });
    const rotated = await publishKey('/rotating', 'after');
    suite.advance(60_000);
    const answer = await clients.refresh({ ...client, key: rotated }, tokens.refresh_token ?? '', {
      kid: 'after',
    });
    expect(answer.status, answer.text).toBe(200);
    const { access_token: token } = answer.json() as Tokens;
    expect((await suite.userinfo(token)).status).toBe(200);
  });
}

function expectInvalid(answer: Answer, error = 'invalid_client_metadata'): void {
  expect(answer.status, answer.text).toBe(400);
  expect(answer.headers['content-type']).toMatch(/^application\/json/);
  expect(answer.json()).toMatchObject({ error });
}
