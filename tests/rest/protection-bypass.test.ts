import {
  createClient,
  getRoute,
  ProblemError,
  type Client,
  type Route,
  type RouteName,
} from '@tessera/contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiToken, setUpPerson } from '../harness/front-door.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';

const header = 'x-vercel-protection-bypass';

describe.each(databaseKinds)('ways past the protection over REST on %s', (kind) => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let call: Client;
  let host: string;

  /** Every answer is held against the contract. */
  const checked = (client: Client): Client =>
    (async (name: RouteName, input?: never) => {
      const answer = await client(name, input as never);
      const { answer: schema } = getRoute(name) as Route;
      return schema === undefined ? answer : schema.parse(answer);
    }) as unknown as Client;

  beforeAll(async () => {
    tessera = await startTessera(kind);
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    call = checked(world.call);
    host = new URL(world.deployment.url).hostname;
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  const bypass = (body: object) => call('protection-bypass.update', { params: { idOrName: 'site' }, body });
  const shareOf = (idOrHost: string, body: object = {}, as = call) =>
    as('share-links.update', { params: { idOrHost }, body });
  const refusal = (answer: Promise<unknown>) =>
    answer.then(
      () => 'allowed',
      (error: unknown) =>
        error instanceof ProblemError ? `${error.problem.code}: ${error.problem.detail}` : String(error),
    );
  const statusWith = async (secret: string, path = '/') =>
    (await send(`${world.deployment.url}${path}`, { headers: { [header]: secret } })).status;

  test('a secret is made, shown once, listed without, renewed and revoked', async () => {
    const made = await bypass({ generate: { note: '  CI  ' } });
    const secret = made.secret ?? '';
    expect(secret).toMatch(/^[0-9A-Za-z]{32}$/);
    expect(made.protectionBypass[secret]).toMatchObject({
      id: made.id,
      scope: 'automation-bypass',
      note: 'CI',
      isEnvVar: true,
      lastUsedAt: null,
    });
    expect(await statusWith(secret)).toBe(200);

    const list = await call('protection-bypass.list', { params: { idOrName: 'site' } });
    expect(Object.keys(list.protectionBypass)).toEqual([made.id]);
    expect(JSON.stringify(list)).not.toContain(secret);

    const second = await bypass({ generate: { note: 'other' } });
    expect(Object.values(second.protectionBypass).map(({ isEnvVar }) => isEnvVar)).toEqual([true, false]);
    const renewed = await bypass({ revoke: { secret, regenerate: true } });
    expect(renewed.protectionBypass[renewed.secret ?? '']).toMatchObject({ note: 'CI', isEnvVar: true });
    expect(await statusWith(secret)).toBe(401);
    expect(await statusWith(renewed.secret ?? '')).toBe(200);

    const marked = await bypass({ update: { secret: second.id, isEnvVar: true, note: null } });
    expect(
      Object.values(marked.protectionBypass).map(({ id, note, isEnvVar }) => [id, note, isEnvVar]),
    ).toEqual([
      [second.id, null, true],
      [renewed.id, 'CI', false],
    ]);
    await bypass({ revoke: { secret: second.id } });
    await bypass({ revoke: { secret: renewed.secret } });
    expect(await statusWith(renewed.secret ?? '')).toBe(401);
    expect(await refusal(bypass({ revoke: { secret: renewed.id } }))).toMatch(/^not_found/);
  });

  test('a secret that somebody brings along is taken, once, and only a random one', async () => {
    const secret = 'Zk3v9QpL0aXc7BnM2sDf8GhJ4rTy6UwE';
    expect((await bypass({ generate: { secret } })).secret).toBe(secret);
    expect(await statusWith(secret)).toBe(200);
    expect(await refusal(bypass({ generate: { secret } }))).toMatch(/^secret_taken/);
    for (const bad of ['short', 'a'.repeat(32), `${secret}x`, `${secret.slice(1)}-`]) {
      expect(await refusal(bypass({ generate: { secret: bad } }))).toMatch(/^bad_request/);
    }
    await bypass({ revoke: { secret } });
  });

  test('its bounds are held, and changed one by one', async () => {
    const made = await bypass({ generate: { environments: ['preview'], pathPrefix: '/api' } });
    const secret = made.secret ?? '';
    expect(await statusWith(secret, '/api/x')).toBe(401);
    await bypass({ update: { secret: made.id, environments: ['production'] } });
    expect([await statusWith(secret, '/api/x'), await statusWith(secret, '/x')]).toEqual([200, 401]);
    const free = await bypass({ update: { secret: made.id, environments: null, pathPrefix: null } });
    expect(free.protectionBypass[made.id ?? '']).toMatchObject({ environments: null, pathPrefix: null });
    expect(await statusWith(secret, '/x')).toBe(200);
    await bypass({ revoke: { secret: made.id } });
    expect(await refusal(bypass({ generate: { environments: ['staging'] } }))).toMatch(
      /^unknown_environment/,
    );
    expect(await refusal(bypass({ generate: { expiresAt: 1 } }))).toMatch(/^bad_request: .*past/);
    expect(await refusal(bypass({ generate: { note: 'x'.repeat(101) } }))).toMatch(/^bad_request: .*note/);
    expect(await refusal(bypass({ generate: { pathPrefix: '/a/../b' } }))).toMatch(
      /^bad_request: .*pathPrefix/,
    );
    expect(await refusal(bypass({ generate: {}, revoke: { secret: 'x' } }))).toMatch(
      /^bad_request: .*exactly one/,
    );
    expect(await refusal(bypass({}))).toMatch(/^bad_request: .*exactly one/);
  });

  test('one that has expired is not renewed before its end is moved', async () => {
    const expiresAt = Date.now() + 60_000;
    const { id } = await bypass({ generate: { expiresAt } });
    tessera.advance(61_000);
    const renew = () => bypass({ revoke: { secret: id, regenerate: true } });
    expect(await refusal(renew())).toMatch(/^bad_request: The secret expired/);
    const later = expiresAt + 3_600_000;
    await bypass({ update: { secret: id, expiresAt: later } });
    const { secret = '', protectionBypass } = await renew();
    expect(protectionBypass[secret ?? '']?.expiresAt).toBe(later);
    expect(await statusWith(secret ?? '')).toBe(200);
    await bypass({ revoke: { secret } });
  });

  test('a project may have a hundred and no more', async () => {
    const project = await call('projects.create', { body: { name: 'many' } });
    const make = () =>
      call('protection-bypass.update', { params: { idOrName: project.id }, body: { generate: {} } });
    for (let count = 0; count < 95; count++) await make();
    // Also of those that are asked for at once.
    const tried = await Promise.allSettled(Array.from({ length: 12 }, make));
    expect(tried.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    expect(await refusal(make())).toMatch(/^too_many_bypasses/);
  });

  test('of any number of secrets exactly one has the mark, however many are made, marked and renewed at once', async () => {
    const { id: idOrName } = await call('projects.create', { body: { name: 'marked' } });
    const ask = (body: object) => call('protection-bypass.update', { params: { idOrName }, body });
    const marked = async () =>
      Object.values((await call('protection-bypass.list', { params: { idOrName } })).protectionBypass).filter(
        ({ isEnvVar }) => isEnvVar,
      );
    const made = await Promise.all(Array.from({ length: 12 }, () => ask({ generate: {} })));
    expect(await marked()).toHaveLength(1);
    for (let round = 0; round < 5; round++) {
      const [before] = await marked();
      const ids = made.map(({ id }) => id).filter((id) => id !== before?.id);
      const tried = await Promise.allSettled([
        ...ids.map((secret) => ask({ update: { secret, isEnvVar: true } })),
        ask({ revoke: { secret: before?.id, regenerate: true } }),
        ask({ update: { secret: ids[0], note: `round ${round}` } }),
      ]);
      expect(tried.some(({ status }) => status === 'fulfilled')).toBe(true);
      expect(await marked(), `round ${round}`).toHaveLength(1);
    }
  });

  test('a share link is made for a host, read about, replaced and revoked', async () => {
    const first = await shareOf(host);
    expect(first.url).toBe(`${world.deployment.url}/?_vercel_share=${first.secret}`);
    expect(first.protectionBypass[first.secret ?? '']).toMatchObject({
      scope: 'shareable-link',
      expires: null,
    });
    const visit = async (url: string | undefined) =>
      (await send(url ?? '', { headers: { accept: 'text/html' } })).headers['set-cookie']?.join() ?? '';
    expect(await visit(first.url)).toContain('_vercel_share=');
    const second = await shareOf(world.deployment.id, { ttl: 3_600 });
    expect(second.host).toBe(host);
    expect(await visit(first.url)).not.toContain('_vercel_share=');
    expect(await visit(second.url)).toContain('_vercel_share=');
    const read = await call('share-links.get', { params: { idOrHost: host.toUpperCase() } });
    expect(JSON.stringify(read)).not.toContain(second.secret);
    const [known] = Object.values(read.protectionBypass);
    expect(known?.expires).toBeGreaterThan(known?.createdAt ?? 0);
    expect(await refusal(shareOf(host, { revoke: { secret: first.secret } }))).toMatch(/^not_found/);
    expect(await refusal(shareOf(host, { ttl: 1, revoke: { secret: second.secret } }))).toMatch(
      /^bad_request/,
    );
    const third = await shareOf(host, { revoke: { secret: second.secret, regenerate: true }, ttl: 60 });
    expect(await visit(third.url)).toContain('_vercel_share=');
    tessera.advance(61_000);
    expect(await visit(third.url)).not.toContain('_vercel_share=');
    expect(
      (await shareOf(host, { revoke: { secret: known?.id === undefined ? '' : third.secret } }))
        .protectionBypass,
    ).toEqual({});
    expect(await refusal(shareOf('nobody.example'))).toMatch(/^not_found/);
  });

  test('what ends on one node has ended on another', async () => {
    const { environment, database } = tessera;
    const second = await startTessera(kind, {
      // The first one deletes it.
      database: { ...database, remove: async () => {} },
      variables: { TESSERA_MASTER_KEY: environment.variables['TESSERA_MASTER_KEY'] ?? '' },
    });
    try {
      const port = Number(new URL(second.urls.origin).port);
      // A front proxy may leave the port out of the host.
      const elsewhere = async (path: string, headers: Record<string, string>) =>
        send(`http://127.0.0.1:${port}${path}`, {
          headers: { host, accept: 'application/json', ...headers },
        });
      const { id, secret = '' } = await bypass({ generate: {} });
      const shared = await shareOf(host);
      const statuses = async () => [
        (await elsewhere('/', { [header]: secret })).status,
        (await elsewhere(`/?_vercel_share=${shared.secret}`, {})).status,
      ];
      expect(await statuses()).toEqual([200, 303]);
      await bypass({ revoke: { secret: id } });
      await shareOf(host, { revoke: { secret: shared.secret } });
      expect(await statuses()).toEqual([401, 401]);

      const trustedIps = {
        deploymentType: 'all',
        protectionMode: 'additional',
        addresses: [{ value: '192.0.2.1' }],
      };
      const update = (body: object) => call('projects.update', { params: { idOrName: 'site' }, body });
      const status = async () => (await elsewhere('/', {})).status;
      await update({ trustedIps });
      await expect.poll(status, { timeout: 5_000 }).toBe(404);
      await update({ trustedIps: null, protectionExceptions: [{ host, confirm: host }] });
      await expect.poll(status, { timeout: 5_000 }).toBe(200);
      await update({ protectionExceptions: [] });
      await expect.poll(status, { timeout: 5_000 }).toBe(401);
    } finally {
      await second.close();
    }
  }, 60_000);

  test('developers share previews alone, and make no secrets', async () => {
    const { invitation } = await call('members.add', {
      params: { id: world.team.id },
      body: { email: 'dev@acme.example', role: 'developer' },
    });
    const person = await setUpPerson(invitation?.url ?? '', {
      email: 'dev@acme.example',
      name: 'Dev',
      password: 'correct horse battery staple 7',
    });
    const asDeveloper = createClient({
      baseUrl: tessera.urls.api,
      token: await createApiToken(tessera.urls.origin, person, { name: 'scripts' }),
    });
    const preview = await world.protect('previewed', { environment: 'preview' });
    const previewHost = new URL(preview.url).hostname;
    expect((await shareOf(previewHost, {}, asDeveloper)).secret).toBeDefined();
    expect(await refusal(shareOf(host, {}, asDeveloper))).toMatch(/^forbidden/);
    const secrets = asDeveloper('protection-bypass.update', {
      params: { idOrName: 'site' },
      body: { generate: {} },
    });
    expect(await refusal(secrets)).toMatch(/^forbidden/);
  });

  test('everything is on the record, and no secret is', async () => {
    const made = await bypass({ generate: { note: 'recorded' } });
    await bypass({ update: { secret: made.id, note: 'changed' } });
    await bypass({ revoke: { secret: made.id } });
    const shared = await shareOf(host, { ttl: 60 });
    await shareOf(host, { revoke: { secret: shared.secret } });
    const { records } = await call('audit-log.list', { query: { limit: 5 } });
    expect(records.map(({ action }) => action)).toEqual([
      'share-link.revoke',
      'share-link.create',
      'protection-bypass.revoke',
      'protection-bypass.update',
      'protection-bypass.create',
    ]);
    expect(records[3]).toMatchObject({ before: { note: 'recorded' }, after: { note: 'changed' } });
    for (const secret of [made.secret, shared.secret]) expect(JSON.stringify(records)).not.toContain(secret);
  });

  describe('the explanation', () => {
    const explain = (body: object = {}) => call('protection.explain', { body: { host, ...body } });
    const said = async (rule: string, body: object) =>
      (await explain(body)).rules.find((one) => one.rule === rule);

    test('says what would become of a request, rule by rule', async () => {
      const { outcome, rules, deploymentId } = await explain({ method: 'GET', path: '/x', headers: {} });
      expect(deploymentId).toBe(world.deployment.id);
      expect(outcome).toMatchObject({ is: 'sign-in', by: 'passport', connectorId: world.connectorId });
      expect(rules.map(({ rule, says }) => [rule, says])).toEqual([
        ['deployment-exception', 'continue'],
        ['options-allowlist', 'continue'],
        ['trusted-source', 'continue'],
        ['automation-bypass', 'continue'],
        ['share-link', 'continue'],
        ['trusted-ips', 'continue'],
        ['scope', 'continue'],
        ['passport', 'sign-in'],
      ]);
    });

    test('judges secrets, repeats none, counts none and marks none as used', async () => {
      const { id, secret = '' } = await bypass({ generate: {} });
      const good = await explain({ headers: { [header]: secret } });
      expect(good.outcome).toMatchObject({ is: 'pass', by: 'automation-bypass' });
      expect(JSON.stringify(good)).not.toContain(secret);
      const wrong = 'wrong'.repeat(6) + '01';
      for (let count = 0; count < 60; count++) {
        const answer = await explain({ path: `/?${header}=${wrong}` });
        expect(answer.outcome.is).toBe('sign-in');
        expect(JSON.stringify(answer)).not.toContain(wrong);
      }
      const { protectionBypass } = await call('protection-bypass.list', { params: { idOrName: 'site' } });
      expect(protectionBypass[id ?? '']?.lastUsedAt).toBeNull();
      expect(await statusWith(secret)).toBe(200);
      await bypass({ revoke: { secret } });
      const over = await said('automation-bypass', { headers: { [header]: secret } });
      expect(over).toMatchObject({ says: 'continue', because: 'The secret is none that counts here now.' });
    });

    test('begins no session: no cookie, no attempt', async () => {
      const before = await call('passport-sessions.list');
      await explain({ headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate' } });
      expect(await call('passport-sessions.list')).toEqual(before);
    });

    test('says what cannot be read, and what is nobody else’s path', async () => {
      expect((await explain({ path: '/a/../b' })).outcome).toMatchObject({
        is: 'refuse',
        code: 'REQUEST_AMBIGUOUS',
      });
      expect((await explain({ path: 'no-slash' })).outcome.is).toBe('refuse');
      expect((await explain({ path: '/.well-known/vercel/passport/finish' })).outcome.is).toBe('own-path');
      expect((await explain({ headers: { Host: 'elsewhere.example' } })).host).toBe(host);
      expect((await explain({ headers: { 'transfer-encoding': 'x' } })).outcome.code).toBe(
        'REQUEST_AMBIGUOUS',
      );
      expect(await refusal(explain({ headers: { 'a b': 'x' } }))).toMatch(/^bad_request/);
      expect(await refusal(explain({ headers: { a: 'x\r\nhost: y' } }))).toMatch(/^bad_request/);
    });

    test('knows trusted addresses, and hides what hides', async () => {
      const update = (body: object) => call('projects.update', { params: { idOrName: 'site' }, body });
      const addresses = [{ value: '192.0.2.0/24' }];
      await update({ trustedIps: { deploymentType: 'all', protectionMode: 'exclusive', addresses } });
      expect((await explain({ clientAddress: '192.0.2.7' })).outcome).toMatchObject({
        is: 'pass',
        by: 'trusted-ips',
      });
      expect((await explain({ clientAddress: '::ffff:192.0.2.7' })).outcome.is).toBe('pass');
      const ownPath = { path: '/.well-known/vercel/passport/finish' };
      expect((await explain({ ...ownPath, clientAddress: '192.0.2.7' })).outcome.is).toBe('own-path');
      expect((await explain(ownPath)).outcome.is).toBe('hide');
      for (const clientAddress of ['198.51.100.1', undefined]) {
        expect((await explain({ clientAddress })).outcome).toMatchObject({
          is: 'hide',
          code: 'DEPLOYMENT_NOT_FOUND',
        });
      }
      await update({ trustedIps: null });
    });

    test('is of the own team alone', async () => {
      const other = await call('teams.create', { body: { slug: 'other', name: 'Other' } });
      const query = { teamId: other.id };
      const refusalOf = (asked: string) =>
        refusal(call('protection.explain', { query, body: { host: asked } }));
      const foreign = await refusalOf(host);
      expect(foreign).toMatch(/^not_found/);
      expect(foreign.replace(host, 'HOST')).toBe(
        (await refusalOf('nobody.example')).replace('nobody.example', 'HOST'),
      );
      const link = call('share-links.update', {
        query: { teamId: other.id },
        params: { idOrHost: host },
        body: {},
      });
      expect(await refusal(link)).toMatch(/^not_found/);
    });
  });
});
