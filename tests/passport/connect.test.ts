import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProblemError } from '../../packages/contract/src/index.ts';
import { startIdentityProvider } from '../../examples/identity-provider/provider.ts';
import { createCookieJar } from '../harness/cookie-jar.ts';
import { findFreePort } from '../harness/free-port.ts';
import { findText, textOf } from '../harness/html.ts';
import { createPassportWorld, passPassport, type PassportWorld } from '../harness/passport-world.ts';
import { send, type Answer } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';

const person = { username: 'grace', password: 'nobody else has it' };

/** At the login page of the provider, or past it when the provider knows the browser. */
async function signInAtProvider(visitor: Visitor, answer: Answer): Promise<Answer> {
  const page = await visitor.follow(answer);
  if (!page.text.includes('id="sign-in"')) return page;
  return visitor.follow(await visitor.submit(page, 'sign-in', person, 'sign-in-submit'));
}

describe.each(databaseKinds)('a visitor at a real identity provider, on %s', (kind) => {
  let tessera: RunningTessera;
  let world: PassportWorld;

  beforeAll(async () => {
    tessera = await startTessera(kind);
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  const page = (path = '/') => `${world.deployment.url}${path}`;
  const isOf = (part: 'start' | 'callback') => (url: URL) =>
    url.href.startsWith(`${tessera.urls.connect}/${part}?`);
  const connectCookies = (visitor: Visitor) =>
    visitor.cookies.list('localhost').filter(({ name }) => name.startsWith('tessera_connect'));

  async function goToCallback(visitor: Visitor): Promise<URL> {
    const login = await visitor.visit(page(), isOf('callback'));
    if (!login.text.includes('id="sign-in"')) return login.location();
    const submitted = await visitor.submit(login, 'sign-in', person, 'sign-in-submit');
    return (await visitor.follow(submitted, isOf('callback'))).location();
  }

  test('ends at the page that was asked for, with a timeline for the team', async () => {
    const visitor = createVisitor();
    const answer = await passPassport(visitor, page('/a/page?with=query'));
    expect(answer.status, answer.text).toBe(200);
    expect(answer.url.href).toBe(page('/a/page?with=query'));
    expect(connectCookies(visitor)).toHaveLength(1);
  });

  test('shows the timeline of a stopped attempt to its team and to nobody else', async () => {
    const visitor = createVisitor();
    const login = await visitor.visit(page());
    const cancelled = await visitor.submit(login, 'sign-in', {}, 'sign-in-cancel');
    const stopped = await visitor.follow(cancelled);
    expect(stopped.status).toBe(403);
    expect(findText(stopped.text, 'error-code')).toBe('sign_in_denied');
    expect(findText(stopped.text, 'error-description')).toContain('"authorization"');
    expect(stopped.text).toContain(`href="${page()}"`);
    const reference = findText(stopped.text, 'error-reference') ?? '';
    const attempt = await world.call('sign-in-attempts.find', {
      query: { teamId: world.team.id, reference },
    });
    expect(attempt).toMatchObject({ kind: 'passport', outcome: 'failed', deploymentId: world.deployment.id });
    expect(attempt.steps.map(({ step, outcome }) => `${step} ${outcome}`)).toEqual([
      'start ok',
      'redirect ok',
      'callback ok',
      'response_issuer ok',
      'authorization failed',
    ]);
    const other = await world.call('teams.create', { body: { slug: `other-${kind}`, name: 'Other' } });
    const asked = world.call('sign-in-attempts.find', { query: { teamId: other.id, reference } });
    await expect(asked).rejects.toThrow('not_found');
  });

  test('keeps links out of caches and referrers, whatever the answer', async () => {
    const visitor = createVisitor();
    const start = await visitor.visit(page(), isOf('start'));
    const answers = [await visitor.open(start.location())];
    const callback = await goToCallback(visitor);
    answers.push(await visitor.open(callback), await visitor.open(callback));
    answers.push(await visitor.open(`${tessera.urls.connect}/start`));
    answers.push(await visitor.open(`${tessera.urls.connect}/callback?state=a&state=b`));
    expect(answers.map(({ status }) => status)).toEqual([303, 303, 400, 400, 400]);
    for (const { headers } of answers) {
      expect(headers['cache-control']).toBe('no-store');
      expect(headers['referrer-policy']).toBe('no-referrer');
    }
  });

  test('lets tabs that begin at once in a fresh browser all arrive, with one cookie in the end', async () => {
    const jar = createCookieJar();
    const tabs = Array.from({ length: 5 }, () => createVisitor(jar));
    const starts = await Promise.all(
      tabs.map((tab, index) => tab.visit(page(`/tab/${index}`), isOf('start'))),
    );
    const redirects = await Promise.all(
      tabs.map((tab, index) => tab.open((starts[index] as Answer).location())),
    );
    for (const [index, tab] of tabs.entries()) {
      const arrived = await signInAtProvider(tab, redirects[index] as Answer);
      expect(arrived.status, textOf(arrived.text)).toBe(200);
      expect(arrived.url.href).toBe(page(`/tab/${index}`));
    }
    expect(connectCookies(tabs[0] as Visitor)).toHaveLength(1);
  });

  test('piles up no cookies over many attempts that go nowhere', async () => {
    const visitor = createVisitor();
    for (let attempt = 0; attempt < 12; attempt += 1) {
      await visitor.open((await visitor.visit(page(), isOf('start'))).location());
    }
    expect(connectCookies(visitor).length).toBeLessThanOrEqual(2);
  });

  test('lets one of many presentations of an answer pass', async () => {
    const visitor = createVisitor();
    const callback = await goToCallback(visitor);
    const answers = await Promise.all(Array.from({ length: 30 }, () => visitor.open(callback)));
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(29);
    const start = (await visitor.visit(page('/again'), isOf('start'))).url;
    expect(start.host).toBe(new URL(page()).host);
  });

  test('does not let a link checker use up a link', async () => {
    const visitor = createVisitor();
    const callback = await goToCallback(visitor);
    const cookie = visitor.cookies.header(callback) ?? '';
    const checked = await send(callback, { method: 'HEAD', headers: { cookie } });
    expect(checked.status).toBe(405);
    const answer = await visitor.follow(await visitor.open(callback));
    expect(answer.status).toBe(200);
  });

  test('turns away whom the policy does not let in, by the rules of the moment', async () => {
    const closed = await world.protect(`closed-${kind}`);
    const setPolicy = (values: string[]) =>
      world.call('projects.update', {
        params: { idOrName: closed.projectId },
        query: { teamId: world.team.id },
        body: {
          passport: {
            connectorId: world.connectorId,
            deploymentType: 'all',
            policy: { anyOf: [{ claim: 'groups', values }] },
          },
        },
      });
    await setPolicy(['executives']);
    const visitor = createVisitor();
    const refused = await passPassport(visitor, `${closed.url}/`);
    expect(refused.status).toBe(403);
    expect(findText(refused.text, 'error-description')).toContain('"policy"');
    await setPolicy(['staff']);
    expect((await passPassport(visitor, `${closed.url}/`)).status).toBe(200);
  });

  test('leads nobody elsewhere by a path that looks like a host', async () => {
    for (const path of ['//evil.example/', '/\\evil.example/', '/%5cevil.example', '///evil.example']) {
      const visitor = createVisitor();
      const answer = await passPassport(visitor, page(path));
      expect(answer.url.host).toBe(new URL(page()).host);
      expect(answer.status).toBeLessThan(500);
    }
  });

  test('stops with a page when the provider is gone, and deletes no connector in use', async () => {
    const client = { clientId: 'tessera', clientSecret: 'a secret of this provider' };
    const running = await startIdentityProvider({
      port: await findFreePort(),
      ...client,
      redirectUri: `${tessera.urls.connect}/callback`,
      person: { ...person, sub: 'staff|grace', email: 'g@corp.example', name: 'Grace', groups: [] },
    });
    const connectorId = await world.createConnector(world.team.id, { issuer: running.url, ...client });
    const site = await world.protect(`brief-${kind}`, { connectorId });
    const visitor = createVisitor();
    const login = await visitor.visit(`${site.url}/`);
    const submitted = await visitor.submit(login, 'sign-in', person, 'sign-in-submit');
    const callback = (await visitor.follow(submitted, isOf('callback'))).location();
    await running.close();
    const stopped = await visitor.open(callback);
    expect(stopped.status).toBe(502);
    expect(findText(stopped.text, 'error-description')).toContain('"code_exchange"');
    expect(findText(stopped.text, 'error-reference')).toMatch(/^ref_/);

    const query = { teamId: world.team.id };
    const inUse = world.call('connectors.delete', { params: { id: connectorId }, query });
    await expect(inUse).rejects.toThrow('connector_in_use');
  });
});

describe('connectors over the REST API', () => {
  let tessera: RunningTessera;
  let world: PassportWorld;

  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  const query = () => ({ teamId: world.team.id });
  const read = () => world.call('connectors.get', { params: { id: world.connectorId }, query: query() });

  test('are discovered, and answered without their secret', async () => {
    const connector = await read();
    const found = await world.call('connectors.discover', {
      query: query(),
      body: { issuer: connector.issuer },
    });
    expect(found.tokenEndpoint).toBe(connector.tokenEndpoint);
    expect(connector).toMatchObject({
      type: 'oidc',
      hasClientSecret: true,
      redirectUri: `${tessera.urls.connect}/callback`,
      tokenEndpointAuthMethod: 'client_secret_basic',
      scopes: ['openid', 'profile', 'email'],
    });
    expect(JSON.stringify(connector)).not.toContain('a secret between');
  });

  test('are tested at the real provider, credentials too', async () => {
    const test = () => world.call('connectors.test', { params: { id: world.connectorId }, query: query() });
    const sound = await test();
    expect(sound.ok, JSON.stringify(sound.steps)).toBe(true);
    await world.call('connectors.update', {
      params: { id: world.connectorId },
      query: query(),
      body: { clientSecret: 'a wrong secret' },
    });
    const wrong = await test();
    expect(wrong.steps.filter(({ outcome }) => outcome === 'failed').map(({ step }) => step)).toEqual([
      'credentials',
    ]);
  });

  test('say what is wrong with an issuer, and the mend (advisory-extra: SSRF)', async () => {
    const { issuer } = await read();
    const problems = await Promise.all(
      [`${issuer}/`, `${issuer}/nowhere`, 'https://127.0.0.2/', 'http://idp.example/'].map((wrong) =>
        world.call('connectors.discover', { query: query(), body: { issuer: wrong } }).then(
          () => undefined,
          (error: unknown) => (error instanceof ProblemError ? error.problem : undefined),
        ),
      ),
    );
    expect(problems.map((problem) => problem?.code)).toEqual(Array(4).fill('discovery_failed'));
    expect(problems[0]?.mend).toContain(`"${issuer}"`);
    expect(problems.map((problem) => /Step "(\w+)"/.exec(problem?.detail ?? '')?.[1])).toEqual([
      'issuer',
      'http',
      'address',
      'url',
    ]);
    const steps = problems[1]?.steps?.map(({ step, outcome }) => `${step} ${outcome}`) ?? [];
    expect(steps.slice(0, 8)).toEqual([
      'url ok',
      'dns ok',
      'address ok',
      'connection ok',
      'tls ok',
      'http failed',
      'document skipped',
      'issuer skipped',
    ]);
  });

  test('are nothing to another team', async () => {
    const other = await world.call('teams.create', { body: { slug: 'other', name: 'Other' } });
    const elsewhere = { params: { id: world.connectorId }, query: { teamId: other.id } };
    const asked = [
      () => world.call('connectors.get', elsewhere),
      () => world.call('connectors.update', { ...elsewhere, body: { name: 'mine' } }),
      () => world.call('connectors.test', elsewhere),
      () => world.call('connectors.delete', elsewhere),
    ];
    for (const ask of asked) {
      await expect(ask()).rejects.toThrow('not_found');
    }
  });
});
