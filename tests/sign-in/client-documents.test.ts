import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logIn, setUpPerson } from '../harness/front-door.ts';
import { findText } from '../harness/html.ts';
import { send, sendForm } from '../harness/send.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { createAuthorizationRequest, passSignInPages } from '../harness/sign-in.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor } from '../harness/visitor.ts';

describe.each(databaseKinds)('client-id metadata documents, on %s', (kind) => {
  let tessera: RunningTessera;
  let world: SignInWorld;
  let documents: Server;
  let base: string;
  let asked: string[] = [];
  const callback = 'http://127.0.0.1:7777/callback';
  const described: Record<string, unknown> = {};

  beforeAll(async () => {
    documents = createServer((request, response) => {
      const path = request.url ?? '';
      asked.push(path);
      const document = described[path];
      response.statusCode = document === undefined ? 404 : 200;
      response.setHeader('content-type', path.endsWith('.html') ? 'text/html' : 'application/json');
      response.setHeader('cache-control', 'max-age=600');
      response.end(typeof document === 'string' ? document : JSON.stringify(document ?? {}));
    });
    await new Promise<void>((resolve) => documents.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(documents.address() as AddressInfo).port}`;
    tessera = await startTessera(kind, { variables: { TESSERA_CLIENT_ID_DOCUMENTS: 'on' } });
    world = await createSignInWorld(tessera.urls, tessera.setUpLink);
  });
  afterAll(async () => {
    documents?.close();
    await tessera?.close();
  });

  /** Puts a document there; `more` replaces members of a good one. */
  function describeClient(path: string, more: object = {}): { clientId: string; redirectUri: string } {
    const clientId = `${base}${path}`;
    described[path] = {
      client_id: clientId,
      client_name: 'Your Bank',
      redirect_uris: [callback],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
      ...more,
    };
    return { clientId, redirectUri: callback };
  }
  const requestOf = (client: { clientId: string; redirectUri: string }, more = {}) =>
    createAuthorizationRequest(tessera.urls.origin, client, more);
  const isCallback = (url: URL) => url.href.startsWith(callback);

  test('are promised in the metadata document', async () => {
    const answer = await send(`${tessera.urls.origin}/.well-known/oauth-authorization-server`);
    expect(answer.json()).toMatchObject({ client_id_metadata_document_supported: true });
  });

  test('nothing is fetched before login, and then once until its age is over', async () => {
    const client = describeClient('/one.json');
    asked = [];
    const visitor = createVisitor();
    const request = requestOf(client);
    const login = await visitor.visit(request.url, isCallback);
    expect(login.text).toContain('id="login"');
    expect(login.text).not.toContain('Your Bank');
    expect(asked).toEqual([]);
    const answer = await passSignInPages(visitor, request.url, world.admin);
    expect(answer.searchParams.get('state')).toBe(request.state);
    const tokens = await sendForm(`${tessera.urls.api}/login/oauth/token`, {
      grant_type: 'authorization_code',
      client_id: client.clientId,
      code: answer.searchParams.get('code') ?? '',
      redirect_uri: callback,
      code_verifier: request.codeVerifier,
    });
    expect(tokens.status, tokens.text).toBe(200);
    const { refresh_token: refreshToken, id_token: idToken } = tokens.json() as Record<string, string>;
    const claims = JSON.parse(Buffer.from((idToken ?? '').split('.')[1] ?? '', 'base64url').toString()) as {
      aud: string;
    };
    expect(claims.aud).toBe(client.clientId);
    expect(asked).toEqual(['/one.json']);

    await visitor.visit(requestOf(client).url, isCallback);
    expect(asked).toEqual(['/one.json']);
    tessera.advance(601_000);
    await visitor.visit(requestOf(client).url, isCallback);
    expect(asked).toEqual(['/one.json', '/one.json']);
    const refreshed = await sendForm(`${tessera.urls.api}/login/oauth/token`, {
      grant_type: 'refresh_token',
      client_id: client.clientId,
      refresh_token: refreshToken ?? '',
    });
    expect(refreshed.status, refreshed.text).toBe(200);
  });

  test('the consent page shows the host of the document, never its name, and asks each time (security-80, 81)', async () => {
    const client = describeClient('/two.json', { logo_uri: 'https://evil.example/logo.png' });
    const { visitor } = world.admin;
    for (let round = 0; round < 2; round++) {
      const page = await visitor.visit(requestOf(client).url, isCallback);
      expect(page.text).toContain('id="consent"');
      expect(page.text).toContain('Not verified');
      expect(page.text).toContain(new URL(base).host);
      expect(page.text).not.toContain('Your Bank');
      expect(page.text).not.toContain('evil.example');
      await visitor.submit(page, 'consent', {}, 'consent-allow');
    }
  });

  test.each([
    ['another client_id', '/a.json', { client_id: 'https://other.example/a.json' }, /client_id/],
    ['a secret', '/b.json', { client_secret: 'x' }, /client_secret/],
    ['a method with a secret', '/c.json', { token_endpoint_auth_method: 'client_secret_basic' }, /method/],
    ['a foreign redirect URI', '/d.json', { redirect_uris: ['https://other.example/cb'] }, /redirect URI/],
    ['a private scheme', '/e.json', { redirect_uris: ['com.example.app:/cb'] }, /redirect URI/],
    ['no redirect URI', '/f.json', { redirect_uris: [] }, /redirect_uris/],
    ['a page', '/g.html', {}, /text\/html/],
  ])('a document with %s is refused on a page (security-1)', async (_name, path, more, words) => {
    const client = describeClient(path, more);
    const answer = await world.admin.visitor.visit(requestOf(client).url, isCallback);
    expect(answer.status).toBe(400);
    expect(findText(answer.text, 'error-code')).toBe('client_document_refused');
    expect(findText(answer.text, 'error-description')).toMatch(words);
    expect(findText(answer.text, 'error-reference')).toMatch(/^ref_/);
  });

  test('a document that is not there, and one in a private network, are refused alike', async () => {
    for (const clientId of [`${base}/none.json`, 'https://unresolvable.invalid/client.json']) {
      const answer = await world.admin.visitor.visit(
        requestOf({ clientId, redirectUri: callback }).url,
        isCallback,
      );
      expect(findText(answer.text, 'error-code')).toBe('client_document_refused');
    }
    // Never fetched, whoever asks: it is no client id.
    for (const clientId of [
      'http://example.com/client.json',
      'https://169.254.169.254/client.json',
      'https://user@example.com/client.json',
      'https://example.com/client.json#x',
      'https://example.com/a/../client.json',
      'https://EXAMPLE.com/client.json',
    ]) {
      const answer = await send(requestOf({ clientId, redirectUri: callback }).url);
      expect(findText(answer.text, 'error-code'), clientId).toBe('client_unknown');
    }
  });

  test('errors reach the app only after login (security-7)', async () => {
    const client = describeClient('/three.json');
    const visitor = createVisitor();
    const broken = requestOf(client, { response_type: 'token' });
    const page = await visitor.visit(broken.url, isCallback);
    expect(page.text).toContain('id="login"');
    const answer = await visitor.follow(await logIn(visitor, page, world.admin), isCallback);
    expect(Object.fromEntries(answer.location().searchParams)).toMatchObject({
      error: 'unsupported_response_type',
      state: broken.state,
      iss: tessera.urls.origin,
    });
    const silent = await createVisitor().visit(requestOf(client, { prompt: 'none' }).url, isCallback);
    expect(silent.status).toBe(400);
    expect(findText(silent.text, 'error-code')).toBe('sign_in_not_silent');
  });

  test('one person leads us to so many documents an hour, and no further', async () => {
    asked = [];
    let last = '';
    for (let number = 0; number < 61; number++) {
      const answer = await world.admin.visitor.visit(
        requestOf({ clientId: `${base}/many/${number}.json`, redirectUri: callback }).url,
        isCallback,
      );
      last = findText(answer.text, 'error-code') ?? '';
      if (last === 'registration_quota') break;
    }
    expect(last).toBe('registration_quota');
    expect(asked.length).toBeLessThanOrEqual(60);
    tessera.advance(3_600_000);
  });

  test('a document is asked for so many times a minute from one network', async () => {
    const url = new URL(`${tessera.urls.origin}/oauth/authorize`);
    url.searchParams.set('client_id', 'https://eager.example/client');
    const answers = await Promise.all(Array.from({ length: 110 }, () => send(url.href)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(10);
    expect(refused[0]!.headers['retry-after']).toBe('60');
    expect(refused[0]!.text).toContain('registration_quota');
  });

  test('a redirect URI that is not in the document is refused on a page', async () => {
    const client = describeClient('/four.json');
    const answer = await world.admin.visitor.visit(
      requestOf({ ...client, redirectUri: 'http://127.0.0.1:7777/other' }).url,
      (url) => url.port === '7777',
    );
    expect(findText(answer.text, 'error-code')).toBe('redirect_uri_not_registered');
  });
});

describe('a client-id metadata document behind its switch', () => {
  test('is no client unless it is switched on', async () => {
    const tessera = await startTessera('sqlite');
    try {
      await setUpPerson(tessera.setUpLink ?? '', {
        email: 'ada@acme.example',
        password: 'a long enough passphrase, 7 words',
        name: 'Ada',
      });
      const request = createAuthorizationRequest(tessera.urls.origin, {
        clientId: 'https://client.example/client.json',
        redirectUri: 'https://client.example/cb',
      });
      const answer = await send(request.url);
      expect(findText(answer.text, 'error-code')).toBe('client_unknown');
    } finally {
      await tessera.close();
    }
  });
});
