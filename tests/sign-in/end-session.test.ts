import { SignJWT, decodeJwt, generateKeyPair } from 'jose';
import { beforeAll, expect, test } from 'vitest';
import { findText, textOf } from '../harness/html.ts';
import { send, sendForm, type Answer } from '../harness/send.ts';
import { createAuthorizationRequest, passSignInPages } from '../harness/sign-in.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';
import { createSignInWorld, type TokenAnswer } from '../harness/sign-in-world.ts';
import { startTessera } from '../harness/start-tessera.ts';
import { describeSignIn } from './on-both-databases.ts';

const goodbye = 'http://localhost:9/goodbye';

describeSignIn('the end-session endpoint', (place) => {
  beforeAll(async () => {
    const { call, team, app } = place.world;
    await call('apps.update', {
      params: { id: app.clientId },
      query: { teamId: team.id },
      body: { postLogoutRedirectUris: [goodbye, `${goodbye}?from=here`] },
    });
  });

  const endpoint = (parameters: Record<string, string> = {}) => {
    const url = new URL(`${place.tessera.urls.origin}/oauth/logout`);
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return url;
  };
  /** A browser in which the administrator has signed in to the app, and the tokens that the app got. */
  async function signIn(visitor: Visitor = createVisitor()) {
    const { app, admin } = place.world;
    const request = createAuthorizationRequest(place.tessera.urls.origin, app);
    const answer = await passSignInPages(visitor, request.url, admin);
    const tokens = (await place.world.redeem(answer.searchParams.get('code') ?? '', request)).json();
    return { visitor, tokens: tokens as TokenAnswer };
  }
  /** What `prompt=none` says of this browser. */
  async function silentError(visitor: Visitor): Promise<string | null> {
    const { url } = createAuthorizationRequest(place.tessera.urls.origin, place.world.app, {
      prompt: 'none',
    });
    return (await visitor.open(url)).location().searchParams.get('error');
  }
  const isActive = async (token: string): Promise<boolean> => {
    const { app } = place.world;
    const authorization = `Basic ${Buffer.from(`${app.clientId}:${app.clientSecret}`).toString('base64')}`;
    const url = `${place.tessera.urls.api}/login/oauth/token/introspect`;
    return ((await sendForm(url, { token }, { authorization })).json() as { active: boolean }).active;
  };
  const expectConfirmation = (page: Answer) => {
    expect(page.status).toBe(200);
    expect(page.text).toContain('id="logout-confirm"');
  };
  const confirm = (visitor: Visitor, page: Answer) => visitor.submit(page, 'logout', {}, 'logout-confirm');

  test('an app that shows the ID token of this login ends it, and gets the person back with its state', async () => {
    const { visitor, tokens } = await signIn();
    expect(await isActive(tokens.access_token)).toBe(true);
    const parameters = {
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: goodbye,
      state: 'a b&c',
    };
    const answer = await visitor.open(endpoint(parameters));
    expect(answer.status).toBe(303);
    expect(answer.location().href).toBe(`${goodbye}?state=a+b%26c`);
    expect(await silentError(visitor)).toBe('login_required');
    // What was given for the person's absence goes on; what was given for this login does not.
    expect(await isActive(tokens.access_token)).toBe(false);
    expect((await place.world.refresh(tokens.refresh_token)).status).toBe(200);
    // A second time there is nothing left to end.
    expect((await visitor.open(endpoint(parameters))).location().href).toBe(`${goodbye}?state=a+b%26c`);
  });

  test('a form from another site, which brings no cookie, is answered the same', async () => {
    const { visitor, tokens } = await signIn();
    const posted = await sendForm(endpoint().href, {
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: `${goodbye}?from=here`,
      state: 's',
    });
    expect(posted.status).toBe(303);
    const answer = await visitor.follow(posted, (url) => url.href.startsWith(goodbye));
    expect(answer.location().href).toBe(`${goodbye}?from=here&state=s`);
    expect(await silentError(visitor)).toBe('login_required');
  });

  test('without a state nothing is added, without a URI the person is told', async () => {
    const first = await signIn();
    const back = await first.visitor.open(
      endpoint({ id_token_hint: first.tokens.id_token, post_logout_redirect_uri: goodbye }),
    );
    expect(back.location().href).toBe(goodbye);
    const second = await signIn();
    const page = await second.visitor.visit(endpoint({ id_token_hint: second.tokens.id_token }));
    expect(page.status).toBe(200);
    expect(textOf(page.text)).toContain('You are logged out');
    expect(await silentError(second.visitor)).toBe('login_required');
  });

  test('security-39: without an ID token of this login the person is asked, and nothing happens before', async () => {
    const { visitor, tokens } = await signIn();
    const other = await signIn();
    for (const parameters of [
      {},
      { state: 'only' },
      { post_logout_redirect_uri: goodbye, state: 's' },
      { client_id: place.world.app.clientId, post_logout_redirect_uri: goodbye },
      { id_token_hint: other.tokens.id_token, post_logout_redirect_uri: goodbye },
    ]) {
      const page = await visitor.visit(endpoint(parameters));
      expectConfirmation(page);
      expect(await silentError(visitor)).toBe(null);
    }
    expect(await isActive(tokens.access_token)).toBe(true);

    const unknownApp = await visitor.visit(endpoint({ post_logout_redirect_uri: goodbye, state: 's' }));
    expect(findText(unknownApp.text, 'logout-destination')).toBeUndefined();
    const done = await visitor.follow(await confirm(visitor, unknownApp));
    expect(textOf(done.text)).toContain('You are logged out');
    expect(await silentError(visitor)).toBe('login_required');
    expect(await isActive(tokens.access_token)).toBe(false);
  });

  test('a registered URI of an app that names itself is gone to after the person has confirmed', async () => {
    const { visitor } = await signIn();
    const page = await visitor.visit(
      endpoint({ client_id: place.world.app.clientId, post_logout_redirect_uri: goodbye, state: 's' }),
    );
    expectConfirmation(page);
    expect(textOf(page.text)).toContain('Reports asks to log you out');
    expect(findText(page.text, 'logout-destination')).toBe('localhost:9');
    const answer = await confirm(visitor, page);
    expect(answer.location().href).toBe(`${goodbye}?state=s`);
    expect(await silentError(visitor)).toBe('login_required');
    // The form again: what it confirmed is done.
    expect((await confirm(visitor, page)).status).toBe(403);
  });

  test('an unregistered or altered URI is never gone to, and the page offers the way out', async () => {
    const { visitor, tokens } = await signIn();
    for (const uri of [
      'https://evil.example/',
      `${goodbye}?foo=bar`,
      `${goodbye}/`,
      goodbye.replace('localhost', 'LOCALHOST'),
      'http://localhost:10/goodbye',
    ]) {
      const page = await visitor.open(
        endpoint({ id_token_hint: tokens.id_token, post_logout_redirect_uri: uri }),
      );
      expect(page.status).toBe(400);
      expect(findText(page.text, 'error-code')).toContain('post_logout_redirect_uri_not_registered');
      expect(page.text).toContain('href="/oauth/logout"');
    }
    expect(await silentError(visitor)).toBe(null);
  });

  test('an ID token of somebody else, or of nobody, is refused', async () => {
    const { visitor, tokens } = await signIn();
    const claims = decodeJwt(tokens.id_token);
    const { privateKey } = await generateKeyPair('RS256');
    const header = JSON.parse(Buffer.from(tokens.id_token.split('.')[0] ?? '', 'base64url').toString()) as {
      alg: string;
      kid: string;
    };
    const foreign = await new SignJWT(claims).setProtectedHeader({ ...header, typ: 'JWT' }).sign(privateKey);
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const unsigned = `${encode({ alg: 'none' })}.${encode(claims)}.`;
    for (const idTokenHint of [foreign, unsigned, `${tokens.id_token}x`, 'nonsense', tokens.access_token]) {
      const page = await visitor.open(
        endpoint({ id_token_hint: idTokenHint, post_logout_redirect_uri: goodbye }),
      );
      expect(page.status).toBe(400);
      expect(findText(page.text, 'error-code')).toContain('end_session_request_invalid');
    }
    const mixed = await visitor.open(endpoint({ id_token_hint: tokens.id_token, client_id: 'cl_other' }));
    expect(mixed.status).toBe(400);
    expect(await silentError(visitor)).toBe(null);
  });

  test('an ID token that has expired still shows whose login it was', async () => {
    const { visitor, tokens } = await signIn();
    place.tessera.advance(2 * 3_600_000);
    const answer = await visitor.open(
      endpoint({ id_token_hint: tokens.id_token, post_logout_redirect_uri: goodbye }),
    );
    expect(answer.location().href).toBe(goodbye);
    expect(await silentError(visitor)).toBe('login_required');
  });

  test('only a form of our page in this browser confirms', async () => {
    const { visitor } = await signIn();
    const page = await visitor.visit(endpoint());
    const stranger = await signIn();
    const theirs = await stranger.visitor.visit(endpoint());
    // The stranger's form, sent with this browser's cookies.
    expect((await confirm(visitor, theirs)).status).toBe(403);
    const cookie = visitor.cookies.header(page.url) ?? '';
    const crossSite = await sendForm(
      page.url.href,
      { csrf: 'x' },
      { cookie, origin: 'https://evil.example' },
    );
    expect(crossSite.status).toBe(403);
    for (const method of ['HEAD', 'PUT', 'DELETE'] as const) {
      expect((await send(endpoint(), { method, headers: { cookie } })).status).toBe(405);
    }
    expect(await silentError(visitor)).toBe(null);
  });

  test('a code that was issued before the logout gives no tokens after it', async () => {
    const visitor = createVisitor();
    await signIn(visitor);
    const { code, request } = await place.world.issueCode(visitor);
    await confirm(visitor, await visitor.visit(endpoint()));
    const answer = await place.world.redeem(code, request);
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ error: 'invalid_grant' });
  });
});

test('a link to the logout of an app that registered itself leads nobody away unasked', async () => {
  const tessera = await startTessera('sqlite', { variables: { TESSERA_DYNAMIC_REGISTRATION: 'on' } });
  try {
    const { admin } = await createSignInWorld(tessera.urls, tessera.setUpLink);
    const registered = await send(`${tessera.urls.api}/login/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        redirect_uris: ['https://client.example/callback'],
        post_logout_redirect_uris: ['https://client.example/goodbye'],
      }),
    });
    const { client_id: clientId } = registered.json() as { client_id: string };
    const url = new URL(`${tessera.urls.origin}/oauth/logout`);
    url.searchParams.set('client_id', clientId);
    url.searchParams.set('post_logout_redirect_uri', 'https://client.example/goodbye');
    expect((await createVisitor().open(url)).location().pathname).toBe('/oauth/logout/done');
    // Somebody who is logged in sees where they would be sent, and may go there.
    const page = await admin.visitor.visit(url);
    expect(findText(page.text, 'logout-destination')).toBe('client.example');
    const answer = await admin.visitor.submit(page, 'logout', {}, 'logout-confirm');
    expect(answer.location().href).toBe('https://client.example/goodbye');
  } finally {
    await tessera.close();
  }
});
