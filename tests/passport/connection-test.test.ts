import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiToken, logIn, setUpPerson, type Person } from '../harness/front-door.ts';
import { findText, textOf } from '../harness/html.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import type { Answer } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';
import { createClient, ProblemError, type Client } from '../../packages/contract/src/index.ts';

const grace = { username: 'grace', password: 'nobody else has it' };

describe.each(databaseKinds)('a live test of a connector, on %s', (kind) => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  /** Another token of the same person. */
  let another: Client;

  beforeAll(async () => {
    tessera = await startTessera(kind);
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    another = createClient({
      baseUrl: tessera.urls.api,
      token: await createApiToken(tessera.urls.origin, world.admin, { name: 'another' }),
    });
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  const query = () => ({ teamId: world.team.id });
  const prepare = async (more: { project?: string } = {}) => {
    const { live, ok } = await world.call('connectors.test', {
      params: { id: world.connectorId },
      query: query(),
      body: { live: true, ...more },
    });
    if (live === null) throw new Error('no live test was prepared');
    return { ...live, ok };
  };
  const read = (testId: string, call = world.call) =>
    call('connector-tests.get', { params: { id: world.connectorId, testId }, query: query() });
  const isOf = (part: string) => (url: URL) => url.href.startsWith(`${tessera.urls.connect}/${part}?`);
  const begin = async (visitor: Visitor, url: string): Promise<Answer> => {
    const page = await visitor.visit(url);
    return visitor.submit(page, 'connector-test', {}, 'connector-test-begin');
  };
  /** Until the answer of the provider, which is not followed. */
  const goToCallback = async (visitor: Visitor, url: string): Promise<URL> => {
    const login = await visitor.follow(await begin(visitor, url), isOf('callback'));
    if (!login.text.includes('id="sign-in"')) return login.location();
    const submitted = await visitor.submit(login, 'sign-in', grace, 'sign-in-submit');
    return (await visitor.follow(submitted, isOf('callback'))).location();
  };
  const invite = async (email: string, role: 'owner' | 'viewer'): Promise<Person> => {
    const { invitation } = await world.call('members.add', {
      params: { id: world.team.id },
      body: { email, role },
    });
    const password = 'another long passphrase, 7 words';
    return setUpPerson(invitation?.url ?? '', { email, password, name: 'Other' });
  };

  test('ends in a report of what the provider said, and signs nobody in', async () => {
    const { visitor } = world.admin;
    const live = await prepare({ project: 'site' });
    expect(live.ok).toBe(true);
    expect(live.url.startsWith(`${tessera.urls.origin}/account/connector-tests/`)).toBe(true);
    expect(await read(live.id)).toMatchObject({ state: 'waiting', report: null });

    const page = await visitor.follow(await visitor.open(await goToCallback(visitor, live.url)));
    expect(page.url.href).toBe(live.url);
    expect(page.status).toBe(200);
    expect(textOf(page.text)).toContain('The sign-in works');
    expect(textOf(page.text)).toContain('Everyone who signs in may enter.');

    const { state, report, reference } = await read(live.id);
    expect(state).toBe('finished');
    expect(report?.steps.map(({ step, outcome }) => `${step} ${outcome}`)).toEqual([
      'response_issuer ok',
      'authorization ok',
      'code_exchange ok',
      'id_token_signature ok',
      'id_token ok',
      'userinfo ok',
      'report ok',
    ]);
    expect(report?.claims.idToken).toMatchObject({ sub: 'staff|grace', aud: 'tessera' });
    expect(report?.claims.userinfo).toMatchObject({ sub: 'staff|grace', groups: ['staff'] });
    expect(report?.forwarded).toEqual({
      external_sub: 'staff|grace',
      external_iss: (
        await world.call('connectors.get', { params: { id: world.connectorId }, query: query() })
      ).issuer,
      email: 'grace@corp.example',
      email_verified: true,
      name: 'Grace Hopper',
      groups: ['staff'],
    });
    expect(report?.policy).toEqual({
      projectId: world.deployment.projectId,
      allowed: true,
      because: 'Everyone who signs in may enter.',
    });
    expect(`${JSON.stringify(report)}${page.text}`).not.toMatch(/eyJ|Bearer/);

    const sessions = await world.call('passport-sessions.list', { query: query() });
    expect(sessions.sessions).toEqual([]);
    const attempt = await world.call('sign-in-attempts.find', {
      query: { ...query(), reference: reference ?? '' },
    });
    expect(attempt).toMatchObject({ kind: 'connector-test', outcome: 'ok' });
    const { records } = await world.call('audit-log.list', { query: query() });
    expect(
      records.some(({ action, object }) => action === 'connector.test' && object === world.connectorId),
    ).toBe(true);
  });

  test('says which step fails, with the mend, on the page and over the API', async () => {
    const { visitor } = world.admin;
    const params = { id: world.connectorId };
    const set = (clientSecret: string) =>
      world.call('connectors.update', { params, query: query(), body: { clientSecret } });
    await set('a wrong secret');
    const live = await prepare();
    expect(live.ok).toBe(false);
    const page = await visitor.follow(await visitor.open(await goToCallback(visitor, live.url)));
    expect(textOf(page.text)).toContain('The sign-in does not work');
    const { report } = await read(live.id);
    expect(report?.ok).toBe(false);
    expect(report?.steps.at(-1)).toMatchObject({ step: 'code_exchange', outcome: 'failed' });
    expect(report?.steps.at(-1)?.mend).toContain('client secret');
    expect(report).toMatchObject({ forwarded: null, policy: null, claims: { idToken: null } });
    await set('a secret between the provider and Tessera');
  });

  test('tells of a sign-in that the person cancelled', async () => {
    const visitor = createVisitor();
    await visitor.follow(
      await logIn(visitor, await visitor.visit(`${tessera.urls.origin}/login`), world.admin),
    );
    const live = await prepare();
    const login = await visitor.follow(await begin(visitor, live.url));
    const page = await visitor.follow(await visitor.submit(login, 'sign-in', {}, 'sign-in-cancel'));
    expect(page.url.href).toBe(live.url);
    expect((await read(live.id)).report?.steps.at(-1)).toMatchObject({
      step: 'authorization',
      outcome: 'failed',
    });
  });

  test('can be begun once, however many try', async () => {
    const { visitor } = world.admin;
    const live = await prepare();
    const page = await visitor.visit(live.url);
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => visitor.submit(page, 'connector-test', {}, 'connector-test-begin')),
    );
    expect(answers.map(({ status }) => String(status)).toSorted()).toEqual([
      '303',
      ...Array<string>(5).fill('409'),
    ]);
    expect((await read(live.id)).state).toBe('running');
    expect(textOf((await visitor.visit(live.url)).text)).toContain('This test was begun');
  });

  test('is nothing to whoever else opens it', async () => {
    const live = await prepare();
    const stranger = createVisitor();
    expect((await stranger.visit(live.url)).url.pathname).toBe('/login');
    for (const role of ['owner', 'viewer'] as const) {
      const other = await invite(`${role}-${kind}@acme.example`, role);
      const page = await other.visitor.visit(live.url);
      expect(page.status).toBe(404);
      const token = await createApiToken(tessera.urls.origin, other, { name: 'x' });
      const call = createClient({ baseUrl: tessera.urls.api, token });
      await expect(read(live.id, call)).rejects.toThrow(role === 'owner' ? 'not_found' : 'forbidden');
      // The form of the right page, sent from the wrong browser.
      const form = await world.admin.visitor.visit(live.url);
      expect((await other.visitor.submit(form, 'connector-test', {}, 'connector-test-begin')).status).toBe(
        403,
      );
    }
    expect((await read(live.id)).state).toBe('waiting');
  });

  test('tells nobody of a sign-in to which its link was carried elsewhere', async () => {
    const carried: Visitor[] = [createVisitor(), (await invite(`led-${kind}@acme.example`, 'owner')).visitor];
    for (const visitor of carried) {
      const live = await prepare();
      const link = (await begin(world.admin.visitor, live.url)).location();
      const login = await visitor.visit(link, isOf('callback'));
      const submitted = await visitor.submit(login, 'sign-in', grace, 'sign-in-submit');
      const callback = await visitor.follow(submitted, isOf('callback'));
      const back = await visitor.open(callback.location());
      const ended = await visitor.follow(back);
      expect(ended.url.pathname === '/login' || ended.status === 404, ended.text).toBe(true);
      expect(await read(live.id)).toMatchObject({ state: 'running', report: null });
      expect(textOf((await world.admin.visitor.visit(live.url)).text)).toContain('This test was begun');
    }
  });

  test('takes what the browser brings back once, for its own test, after another login too', async () => {
    const visitor = createVisitor();
    const home = await logIn(visitor, await visitor.visit(`${tessera.urls.origin}/login`), world.admin);
    await visitor.follow(home);
    const [live, other] = [await prepare(), await prepare()];
    const back = (await visitor.open(await goToCallback(visitor, live.url))).location();
    await begin(visitor, other.url);
    await visitor.visit(`${other.url}${back.search}`);
    expect((await read(other.id)).state).toBe('running');

    const newcomer = createVisitor();
    const login = await newcomer.visit(back);
    const page = await newcomer.follow(await logIn(newcomer, login, world.admin));
    expect(page.url.href).toBe(live.url);
    expect(textOf(page.text)).toContain('The sign-in works');
    expect((await newcomer.visit(back)).url.href).toBe(live.url);
  });

  test('takes its answer only in the browser that began, and once', async () => {
    const { visitor } = world.admin;
    const live = await prepare();
    const callback = await goToCallback(visitor, live.url);
    const elsewhere = await createVisitor().open(callback);
    expect(elsewhere.status).toBe(403);
    expect(findText(elsewhere.text, 'error-description')).toContain('"browser"');
    const answers = await Promise.all(Array.from({ length: 4 }, () => visitor.open(callback)));
    expect(answers.map(({ status }) => String(status)).toSorted()).toEqual(['303', '400', '400', '400']);
    await visitor.visit(answers.find(({ status }) => status === 303)?.location() ?? '');
    expect((await read(live.id)).report?.ok).toBe(true);
  });

  test('is over after ten minutes', async () => {
    const { visitor } = world.admin;
    const live = await prepare();
    const page = await visitor.visit(live.url);
    tessera.advance(10 * 60_000 + 1);
    expect((await read(live.id)).state).toBe('expired');
    expect((await visitor.submit(page, 'connector-test', {}, 'connector-test-begin')).status).toBe(409);
    expect(textOf((await visitor.visit(live.url)).text)).toContain('This test is over');
  });

  test('needs a project of the team, where one is named', async () => {
    await expect(prepare({ project: 'nowhere' })).rejects.toThrow('not_found');
  });

  test('is limited for a person, live or not, together with Discover, and over all tokens of theirs', async () => {
    const discover = (call = world.call) =>
      call('connectors.discover', { query: query(), body: { issuer: 'http://127.0.0.1:9' } }).then(
        () => 'found',
        (error: unknown) => (error instanceof ProblemError ? error.problem.code : String(error)),
      );
    tessera.advance(11 * 60_000);
    const tried = await Promise.all(
      Array.from({ length: 70 }, (_, index) => discover(index % 2 === 0 ? world.call : another)),
    );
    expect(tried.filter((code) => code === 'discovery_failed')).toHaveLength(60);
    expect(tried.filter((code) => code === 'too_many_connector_tests')).toHaveLength(10);
    await expect(prepare()).rejects.toMatchObject({
      problem: { status: 429, code: 'too_many_connector_tests' },
    });
    // Whatever else goes out to a typed address counts with them, and is refused with them.
    const params = { id: world.connectorId };
    const body = { name: 'Corp' };
    const created = { name: 'x', issuer: 'http://127.0.0.1:9', clientId: 'x', clientSecret: 'x' };
    const goOut = [
      () => world.call('connectors.update', { params, query: query(), body }),
      () => world.call('connectors.create', { query: query(), body: created }),
      () => world.call('connector-keys.create', { params, query: query() }),
    ];
    for (const go of goOut) await expect(go()).rejects.toMatchObject({ problem: { status: 429 } });
    tessera.advance(11 * 60_000);
    expect((await prepare()).ok).toBe(true);
    await goOut[0]?.();
    await expect(goOut[1]?.()).rejects.toMatchObject({ problem: { code: 'connector_refused' } });
    const rest = await Promise.all(Array.from({ length: 60 }, () => discover()));
    expect(rest.filter((code) => code === 'discovery_failed')).toHaveLength(57);
  });
});
