import { expect, test } from 'vitest';
import { setUpPerson } from '../harness/front-door.ts';
import { findForm, findText } from '../harness/html.ts';
import { send, sendForm, type Answer } from '../harness/send.ts';
import { createApp } from '../harness/sign-in-world.ts';
import { createAuthorizationRequest, passSignInPages } from '../harness/sign-in.ts';
import { createVisitor } from '../harness/visitor.ts';
import { describeSignIn } from './on-both-databases.ts';

describeSignIn('the authorization endpoint', (place) => {
  type Parameters = Readonly<Record<string, string | undefined>>;
  const requestWith = (more: Parameters = {}) =>
    createAuthorizationRequest(place.tessera.urls.origin, place.world.app, more);
  const open = (more: Parameters): Promise<Answer> => createVisitor().open(requestWith(more).url);
  const answerOf = (answer: Answer) => Object.fromEntries(answer.location().searchParams);

  test('shows a page and never redirects without a known app (security-1)', async () => {
    for (const client of [undefined, 'cl_unknown']) {
      const answer = await open({ client_id: client });
      expect(answer.status).toBe(400);
      expect(findText(answer.text, 'error-code')).toBe('client_unknown');
      expect(findText(answer.text, 'error-reference')).toMatch(/^\w+$/);
    }
  });

  test.each([
    ['another path', 'http://localhost:9/other'],
    ['a trailing slash', 'http://localhost:9/callback/'],
    ['a query added', 'http://localhost:9/callback?x=1'],
    ['another host', 'https://evil.example/callback'],
    ['another port of a name', 'http://localhost:10/callback'],
    ['a fragment', 'http://localhost:9/callback#x'],
    ['a user name', 'http://localhost:9@evil.example/callback'],
    ['none', undefined],
  ])(
    'shows a page and never redirects to a URI that is not registered: %s (security-1)',
    async (_name, uri) => {
      const answer = await open({ redirect_uri: uri });
      expect(answer.status).toBe(400);
      expect(answer.headers.location).toBeUndefined();
      expect(findText(answer.text, 'error-reference')).toMatch(/^(ref|req)_/);
    },
  );

  test('says how a redirect URI misses, and what is registered only to the owners of the app', async () => {
    const { url } = requestWith({ redirect_uri: 'http://localhost:9/callback/' });
    const stranger = await createVisitor().open(url);
    expect(stranger.text).toContain('redirect URI is not registered');
    expect(stranger.text).toContain('trailing slash');
    expect(stranger.text.replaceAll('http://localhost:9/callback/', '')).not.toContain(
      'http://localhost:9/callback',
    );
    const owner = await place.world.admin.visitor.open(url);
    expect(owner.text.replaceAll('http://localhost:9/callback/', '')).toContain(
      'http://localhost:9/callback',
    );
  });

  test('its error pages carry the reference of the attempt, which the team can look up', async () => {
    const answer = await open({ redirect_uri: 'http://localhost:9/callback/' });
    const reference = findText(answer.text, 'error-reference') ?? '';
    const attempt = await place.world.call('sign-in-attempts.find', {
      query: { teamId: place.world.team.id, reference },
    });
    expect(JSON.stringify(attempt)).toMatch(/not registered/);
  });

  const challenge = 'a'.repeat(43);
  test.each<[string, Parameters, string, string]>([
    [
      'no response_type',
      { response_type: undefined },
      'invalid_request',
      "Parameter 'response_type'. Required",
    ],
    [
      'another response_type (security-2)',
      { response_type: 'test' },
      'unsupported_response_type',
      "Parameter 'response_type'. Invalid enum value. Expected 'code', received 'test'",
    ],
    ['implicit (security-2)', { response_type: 'id_token token' }, 'unsupported_response_type', ''],
    ['hybrid (security-2)', { response_type: 'code id_token' }, 'unsupported_response_type', ''],
    ['another response_mode', { response_mode: 'fragment' }, 'invalid_request', "Parameter 'response_mode'."],
    [
      'no code_challenge (security-3)',
      { code_challenge: undefined },
      'invalid_request',
      "Parameter 'code_challenge'. Required",
    ],
    [
      'a short code_challenge (security-3)',
      { code_challenge: 'short' },
      'invalid_request',
      "Parameter 'code_challenge'. code_challenge must be at least 43 characters",
    ],
    [
      'a long code_challenge (security-3)',
      { code_challenge: 'a'.repeat(129) },
      'invalid_request',
      "Parameter 'code_challenge'.",
    ],
    [
      'a malformed code_challenge (security-3)',
      { code_challenge: `${'a'.repeat(42)}=` },
      'invalid_request',
      "Parameter 'code_challenge'.",
    ],
    [
      'another code_challenge_method (security-3)',
      { code_challenge_method: 'test' },
      'invalid_request',
      "Parameter 'code_challenge_method'. Invalid enum value. Expected 'S256', received 'test'",
    ],
    [
      'plain (security-3)',
      { code_challenge: challenge, code_challenge_method: 'plain' },
      'invalid_request',
      '',
    ],
    [
      'plain by absence (security-3)',
      { code_challenge_method: undefined },
      'invalid_request',
      "Parameter 'code_challenge_method'.",
    ],
    ['an unknown prompt', { prompt: 'create' }, 'invalid_request', "Parameter 'prompt'. Invalid enum value."],
    ['none with another prompt', { prompt: 'none login' }, 'invalid_request', "Parameter 'prompt'."],
    ['a negative max_age', { max_age: '-1' }, 'invalid_request', "Parameter 'max_age'."],
    ['a long nonce (security-15)', { nonce: 'n'.repeat(513) }, 'invalid_request', "Parameter 'nonce'."],
    ['no scope that the app has', { scope: 'admin' }, 'invalid_scope', "Parameter 'scope'."],
    ['a malformed scope', { scope: 'open"id' }, 'invalid_scope', "Parameter 'scope'."],
    ['a request object', { request: 'x.y.z' }, 'request_not_supported', "Parameter 'request'."],
    [
      'a request_uri',
      { request_uri: 'https://evil.example/x' },
      'request_uri_not_supported',
      "Parameter 'request_uri'.",
    ],
    ['a resource', { resource: 'https://api.example' }, 'invalid_target', "Parameter 'resource'."],
    [
      'a foreign id_token_hint (security-14)',
      { id_token_hint: 'eyJhbGciOiJub25lIn0.e30.' },
      'invalid_request',
      "Parameter 'id_token_hint'.",
    ],
    ['nobody logged in, silently (security-12)', { prompt: 'none' }, 'login_required', ''],
  ])(
    'sends the error back to the app, with state and iss: %s (security-5)',
    async (_name, more, error, description) => {
      const request = requestWith(more);
      const answer = await createVisitor().open(request.url);
      expect(answer.status).toBe(303);
      expect(answer.location().href).toMatch(/^http:\/\/localhost:9\/callback\?/);
      expect(answerOf(answer)).toMatchObject({ error, state: request.state, iss: place.tessera.urls.origin });
      expect(answerOf(answer)['error_description']).toContain(description);
      expect(answerOf(answer)).not.toHaveProperty('code');
    },
  );

  test('echoes a state of 2,048 characters exactly, and refuses a longer one (security-15)', async () => {
    const state = 'sta te&=+%/?é"'.padEnd(2_048, 'x');
    expect(answerOf(await open({ prompt: 'none', state }))).toMatchObject({ error: 'login_required', state });
    const refused = answerOf(await open({ prompt: 'none', state: `${state}x` }));
    expect(refused).toMatchObject({ error: 'invalid_request' });
    expect(refused).not.toHaveProperty('state');
  });

  test('refuses repeated parameters, ignores unknown ones, and takes empty ones as absent (security-4)', async () => {
    const repeated = requestWith().url;
    repeated.searchParams.append('scope', 'openid');
    const refused = await createVisitor().open(repeated);
    expect(refused.status).toBe(400);
    expect(refused.text).toContain('sent more than once');
    const unknown = await open({ prompt: 'none', foo: 'bar', max_age: '' });
    expect(answerOf(unknown)).toMatchObject({ error: 'login_required' });
  });

  test('changes nothing by HEAD, and takes no other method (security-16)', async () => {
    const { url } = requestWith();
    const head = await send(url, { method: 'HEAD', headers: { cookie: cookieOf() } });
    expect(head.status).toBe(405);
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      expect((await send(url, { method })).status).toBe(405);
    }
    function cookieOf(): string {
      return place.world.admin.visitor.cookies.header(url) ?? '';
    }
  });

  test('leads through login and consent, once; then answers at once', async () => {
    const app = await createApp(place.world.call, place.world.team.id, { name: `Once ${Math.random()}` });
    const visitor = createVisitor();
    const request = createAuthorizationRequest(place.tessera.urls.origin, app);
    const answer = await passSignInPages(visitor, request.url, place.world.admin);
    expect(answer.searchParams.get('state')).toBe(request.state);
    expect(answer.searchParams.get('iss')).toBe(place.tessera.urls.origin);
    expect(answer.searchParams.get('code')).toMatch(/^[\w-]{43}$/);
    const again = await visitor.open(createAuthorizationRequest(place.tessera.urls.origin, app).url);
    expect(answerOf(again)).toHaveProperty('code');
    const silent = await visitor.open(
      createAuthorizationRequest(place.tessera.urls.origin, app, { prompt: 'none' }).url,
    );
    expect(answerOf(silent)).toHaveProperty('code');
  });

  test('asks for consent again when more is asked for, or when the app wants it asked (security-80)', async () => {
    const app = await createApp(place.world.call, place.world.team.id, { name: `Wider ${Math.random()}` });
    const { visitor } = place.world.admin;
    const ask = (more: Parameters) => createAuthorizationRequest(place.tessera.urls.origin, app, more).url;
    await passSignInPages(visitor, ask({ scope: 'openid' }), place.world.admin);
    expect(answerOf(await visitor.open(ask({ scope: 'openid', prompt: 'none' })))).toHaveProperty('code');
    expect(answerOf(await visitor.open(ask({ scope: 'openid email', prompt: 'none' })))).toMatchObject({
      error: 'consent_required',
    });
    const wider = await visitor.open(ask({ scope: 'openid email' }));
    expect(wider.location().pathname).toBe('/oauth/consent');
    await passSignInPages(visitor, ask({ scope: 'openid email' }), place.world.admin);
    // What was allowed once stays allowed beside it.
    expect(answerOf(await visitor.open(ask({ scope: 'openid email', prompt: 'none' })))).toHaveProperty(
      'code',
    );
    expect((await visitor.open(ask({ scope: 'openid', prompt: 'consent' }))).location().pathname).toBe(
      '/oauth/consent',
    );
  });

  test('tells the app when the person cancels', async () => {
    const app = await createApp(place.world.call, place.world.team.id, { name: `Cancel ${Math.random()}` });
    const { visitor } = place.world.admin;
    const request = createAuthorizationRequest(place.tessera.urls.origin, app);
    const page = await visitor.visit(request.url);
    const answer = await visitor.follow(
      await visitor.submit(page, 'consent', {}, 'consent-cancel'),
      (url) => url.port === '9',
    );
    expect(answerOf(answer)).toEqual({
      error: 'access_denied',
      error_description: 'The user canceled the authorization process',
      state: request.state,
      iss: place.tessera.urls.origin,
    });
    expect((await visitor.open(answer.url)).status, 'the request is over').toBe(404);
  });

  test.each(['login', 'select_account', 'login consent'])(
    'wants a new login for prompt=%s, and a later auth_time follows (security-13)',
    async (prompt) => {
      const visitor = createVisitor();
      const before = await place.world.issueCode(visitor);
      const first = await claimsOf(before);
      place.tessera.advance(5_000);
      const request = requestWith({ prompt });
      const redirect = await visitor.open(request.url);
      expect(redirect.location().pathname).toBe('/login');
      const answer = await passSignInPages(visitor, request.url, place.world.admin);
      const second = await claimsOf({ code: answer.searchParams.get('code') ?? '', request });
      expect(Number(second['auth_time'])).toBeGreaterThan(Number(first['auth_time']));
    },
  );

  test('wants a new login when the last one is older than max_age, and only then (security-13)', async () => {
    const visitor = createVisitor();
    await place.world.issueCode(visitor);
    expect(answerOf(await visitor.open(requestWith({ max_age: '60' }).url))).toHaveProperty('code');
    place.tessera.advance(61_000);
    expect((await visitor.open(requestWith({ max_age: '60' }).url)).location().pathname).toBe('/login');
    expect(answerOf(await visitor.open(requestWith({ max_age: '60', prompt: 'none' }).url))).toMatchObject({
      error: 'login_required',
    });
    const request = requestWith({ max_age: '0' });
    const answer = await passSignInPages(visitor, request.url, place.world.admin);
    expect(answer.searchParams.has('code'), 'a login done for it is enough').toBe(true);
  });

  test('takes an id_token_hint of ours, also an expired one, and compares the person', async () => {
    const visitor = createVisitor();
    const issued = await place.world.issueCode(visitor);
    const tokens = (await place.world.redeem(issued.code, issued.request)).json() as { id_token: string };
    place.tessera.advance(2 * 60 * 60 * 1000);
    const answer = await visitor.open(requestWith({ prompt: 'none', id_token_hint: tokens.id_token }).url);
    expect(answerOf(answer)).toHaveProperty('code');
  });

  test('lets only members of the team in, where the app says so', async () => {
    const { call, team, app } = place.world;
    const elsewhere = await call('teams.create', {
      body: { slug: `elsewhere-${Date.now()}`, name: 'Elsewhere' },
    });
    const { invitation } = await call('members.add', {
      params: { id: elsewhere.id },
      body: { email: `eve-${Date.now()}@elsewhere.example`, role: 'viewer' },
    });
    const stranger = await setUpPerson(invitation?.url ?? '', {
      email: '',
      password: 'another long passphrase, of 7 words',
      name: 'Eve',
    });
    const params = { params: { id: app.clientId }, query: { teamId: team.id } };
    await call('apps.update', { ...params, body: { signInAccess: 'team' } });
    expect((await place.world.issueCode()).code).toBeTypeOf('string');
    expect(answerOf(await stranger.visitor.open(requestWith().url))).toMatchObject({
      error: 'access_denied',
    });
    await call('apps.update', { ...params, body: { signInAccess: 'anyone' } });
    expect((await stranger.visitor.open(requestWith().url)).location().pathname).toBe('/oauth/consent');
  });

  test('answers a POST from another site by a stored request (security-8)', async () => {
    const request = requestWith();
    const fields = Object.fromEntries(request.url.searchParams);
    const posted = await sendForm(`${place.tessera.urls.origin}/oauth/authorize`, fields, {
      origin: 'https://app.example',
      'sec-fetch-site': 'cross-site',
    });
    expect(posted.status).toBe(303);
    expect(posted.headers['set-cookie'], 'the browser’s own cookie must not be replaced').toBeUndefined();
    const { visitor } = place.world.admin;
    const answer = await visitor.follow(posted, (url) => url.port === '9');
    expect(answerOf(answer)).toMatchObject({ state: request.state, code: expect.any(String) as string });
  });

  test('answers by a form that sends itself, where the app wants it', async () => {
    const request = requestWith({ response_mode: 'form_post', state: '"><script>alert(1)</script>' });
    const page = await place.world.admin.visitor.open(request.url);
    expect(page.status).toBe(200);
    expect(page.text).not.toContain('<script>alert(1)');
    expect(page.text).toContain('method="post" action="http://localhost:9/callback"');
    expect(page.text).toMatch(/name="code" value="[\w-]{43}"/);
    expect(page.text).toContain(`name="iss" value="${place.tessera.urls.origin}"`);
    expect(page.headers['content-security-policy']).toContain("form-action 'self' http://localhost:9");
    expect(page.headers['content-security-policy']).toMatch(/script-src 'sha256-[^']+'/);
    expect(page.text).toContain('<script>document.forms[0].submit()</script>');
    const refused = await createVisitor().open(
      requestWith({ response_mode: 'form_post', prompt: 'none' }).url,
    );
    expect(refused.text).toContain('name="error" value="login_required"');
  });

  test('a request begun in one browser cannot be finished in another (security-75, 82)', async () => {
    const app = await createApp(place.world.call, place.world.team.id, {
      name: `Elsewhere ${Math.random()}`,
    });
    const { visitor } = place.world.admin;
    const page = await visitor.visit(createAuthorizationRequest(place.tessera.urls.origin, app).url);
    const id = page.url.searchParams.get('request') ?? '';
    expect(id).toMatch(/^req_/);
    const other = createVisitor();
    await place.world.issueCode(other);
    const resumed = await other.open(`${place.tessera.urls.origin}/oauth/authorize/${id}`);
    expect(resumed.status).toBe(403);
    expect(findText(resumed.text, 'error-code')).toBe('authorization_request_elsewhere');
    expect((await other.visit(page.url)).status).toBe(403);
    expect(findForm(page.text, 'consent', page.url).method).toBe('POST');
  });

  test('an unknown or finished request is a page that says so', async () => {
    const answer = await createVisitor().open(`${place.tessera.urls.origin}/oauth/authorize/req_nothing`);
    expect(answer.status).toBe(404);
    expect(findText(answer.text, 'error-code')).toBe('authorization_request_gone');
  });

  test('one request makes one code, however often its way is ended at once (security-82)', async () => {
    const app = await createApp(place.world.call, place.world.team.id, { name: `Race ${Math.random()}` });
    const { visitor } = place.world.admin;
    const page = await visitor.visit(createAuthorizationRequest(place.tessera.urls.origin, app).url);
    const allowed = await visitor.submit(page, 'consent', {}, 'consent-allow');
    const answers = await Promise.all(Array.from({ length: 20 }, () => visitor.open(allowed.location())));
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 404)).toHaveLength(19);
  });

  async function claimsOf(issued: Awaited<ReturnType<typeof place.world.issueCode>>) {
    const tokens = (await place.world.redeem(issued.code, issued.request)).json() as { id_token: string };
    const payload = tokens.id_token.split('.')[1] ?? '';
    return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
  }
});
