import { createClient, ProblemError, type Client } from '@tessera/contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiToken, setUpPerson } from '../harness/front-door.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';

describe.each(databaseKinds)('the protection settings of a project on %s', (kind) => {
  let tessera: RunningTessera;
  let call: Client;
  let host: string;
  let otherHost: string;

  beforeAll(async () => {
    tessera = await startTessera(kind);
    const ada = await setUpPerson(tessera.setUpLink!, {
      email: 'ada@acme.example',
      name: 'Ada',
      password: 'correct horse battery staple 7',
    });
    const token = await createApiToken(tessera.urls.origin, ada, { name: 'scripts' });
    call = createClient({ baseUrl: tessera.urls.api, token });
    await call('teams.create', { body: { slug: 'acme', name: 'Acme' } });
    const deploy = async (name: string) => {
      await call('projects.create', { body: { name } });
      const { hosts } = await call('deployments.create', {
        body: { projectId: name, environment: 'production', upstream: 'http://127.0.0.1:9' },
      });
      return hosts[0]!.host;
    };
    host = await deploy('site');
    otherHost = await deploy('other');
  });
  afterAll(() => tessera.close());

  const update = (body: object) => call('projects.update', { params: { idOrName: 'site' }, body });
  const refusal = (body: object) =>
    update(body).then(
      () => 'allowed',
      (error: unknown) =>
        error instanceof ProblemError ? `${error.problem.code}: ${error.problem.detail}` : String(error),
    );

  test('are all off at first', async () => {
    const project = await call('projects.get', { params: { idOrName: 'site' } });
    expect(project).toMatchObject({ trustedIps: null, optionsAllowlist: null, protectionExceptions: [] });
  });

  test('are kept in their one spelling, each changed alone, and switched off by null', async () => {
    const trustedIps = {
      deploymentType: 'prod_deployment_urls_and_all_previews',
      protectionMode: 'additional',
      addresses: [{ value: '::FFFF:10.0.0.0/104', note: 'the office' }, { value: '2001:DB8::/32' }],
    };
    const stored = {
      deploymentType: 'all_except_custom_domains',
      protectionMode: 'additional',
      addresses: [{ value: '10.0.0.0/8', note: 'the office' }, { value: '2001:db8::/32' }],
    };
    expect((await update({ trustedIps })).trustedIps).toEqual(stored);
    const optionsAllowlist = { paths: [{ value: '/api' }] };
    const both = await update({ optionsAllowlist });
    expect([both.trustedIps, both.optionsAllowlist]).toEqual([stored, optionsAllowlist]);
    expect(await call('projects.get', { params: { idOrName: 'site' } })).toEqual(both);
    const one = await update({ trustedIps: null });
    expect([one.trustedIps, one.optionsAllowlist]).toEqual([null, optionsAllowlist]);
    expect((await update({ optionsAllowlist: null })).optionsAllowlist).toBeNull();
  });

  test.each([
    ['a range that would be cut', { addresses: [{ value: '10.1.2.3/8' }] }, '10.0.0.0/8'],
    ['everybody', { addresses: [{ value: '0.0.0.0/0' }] }, 'every address'],
    ['a name', { addresses: [{ value: 'office.example' }] }, 'office.example'],
    ['nobody', { addresses: [] }, 'addresses'],
    ['a long note', { addresses: [{ value: '10.0.0.1', note: 'x'.repeat(101) }] }, 'note'],
    ['an unknown mode', { protectionMode: 'optional' }, 'protectionMode'],
    ['an unknown field', { except: [] }, 'except'],
  ])('trusted IPs of %s are refused', async (_, change, named) => {
    const good = { deploymentType: 'all', protectionMode: 'additional', addresses: [{ value: '10.0.0.1' }] };
    const refused = await refusal({ trustedIps: { ...good, ...change } });
    expect(refused).toMatch(/^bad_request: /);
    expect(refused).toContain(named);
  });

  test.each(['api', '/api?x', '/a pi', '/%61pi', '/api/../x', '/api//x', '/api\\x', '/a;b', '*', ''])(
    'a path %j for OPTIONS is refused',
    async (value) => {
      expect(await refusal({ optionsAllowlist: { paths: [{ value }] } })).toMatch(/^bad_request: .*path/);
    },
  );

  test('a host is opened by typing it twice, stays open without, and is closed by leaving it out', async () => {
    expect(await refusal({ protectionExceptions: [{ host }] })).toMatch(/^confirmation_needed: .*missing/);
    expect(await refusal({ protectionExceptions: [{ host, confirm: otherHost }] })).toContain(otherHost);
    expect(await refusal({ protectionExceptions: [{ host, confirm: host.toUpperCase() }] })).toMatch(
      /^confirmation_needed/,
    );
    const open = await update({ protectionExceptions: [{ host, confirm: host }] });
    expect(open.protectionExceptions).toEqual([{ host }]);
    expect((await update({ protectionExceptions: [{ host }] })).protectionExceptions).toEqual([{ host }]);
    expect((await update({ protectionExceptions: [] })).protectionExceptions).toEqual([]);
    expect(await refusal({ protectionExceptions: [{ host }] })).toMatch(/^confirmation_needed/);
  });

  test('a host of another project, or of nobody, is not opened', async () => {
    for (const foreign of [otherHost, 'nobody.example'])
      expect(await refusal({ protectionExceptions: [{ host: foreign, confirm: foreign }] })).toMatch(
        /^bad_request: .*no host of a deployment of this project/,
      );
  });

  test('every change is on the record, with what was before', async () => {
    await update({ protectionExceptions: [{ host, confirm: host }] });
    await update({ protectionExceptions: null });
    const { records } = await call('audit-log.list', { query: { limit: 2 } });
    expect(records.map(({ action, before, after }) => [action, before, after])).toEqual([
      ['project.update', { protectionExceptions: [{ host }] }, { protectionExceptions: [] }],
      ['project.update', { protectionExceptions: [] }, { protectionExceptions: [{ host }] }],
    ]);
  });
});
