import {
  createClient,
  getRoute,
  ProblemError,
  problemSchema,
  type Client,
  type Role,
  type Route,
  type RouteName,
} from '@tessera/contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiToken, setUpPerson, type Person } from '../harness/front-door.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';

const upstream = 'http://127.0.0.1:9';
const password = 'correct horse battery staple 7';

describe.each(databaseKinds)('teams, projects and deployments over REST on %s', (kind) => {
  let tessera: RunningTessera;
  let ada: Person;
  let adaToken: string;
  /** Calls as Ada, the owner of acme; every answer is held against the contract. */
  let asAda: Client;

  const clientOf = (token: string): Client => {
    const call = createClient({ baseUrl: tessera.urls.api, token });
    const checked = async (name: RouteName, input?: never) => {
      const answer = await call(name, input as never);
      const { answer: schema } = getRoute(name) as Route;
      return schema === undefined ? answer : schema.parse(answer);
    };
    return checked as unknown as Client;
  };
  const codeOf = (error: unknown) => (error instanceof ProblemError ? error.problem.code : String(error));
  const refusal = (answer: Promise<unknown>) => answer.then(() => 'allowed', codeOf);

  beforeAll(async () => {
    tessera = await startTessera(kind);
    ada = await setUpPerson(tessera.setUpLink!, { email: 'ada@acme.example', name: 'Ada', password });
    adaToken = await createApiToken(tessera.urls.origin, ada, { name: 'scripts' });
    asAda = clientOf(adaToken);
    await asAda('teams.create', { body: { slug: 'acme', name: 'Acme' } });
    await asAda('projects.create', { body: { name: 'site' } });
  });
  afterAll(() => tessera.close());

  /** Somebody whom Ada has invited to acme, with a token. */
  async function invite(email: string, role: 'member' | 'developer' | 'viewer') {
    const { id } = (await asAda('teams.list')).teams[0]!;
    const { invitation } = await asAda('members.add', { params: { id }, body: { email, role } });
    const person = await setUpPerson(invitation!.url, { email, name: email, password });
    return clientOf(await createApiToken(tessera.urls.origin, person, { name: 'scripts' }));
  }

  test('a person reads who they are, and their teams', async () => {
    const { user } = await asAda('users.get');
    expect(user).toMatchObject({ email: 'ada@acme.example', name: 'Ada', isInstanceAdmin: true });
    const { teams, pagination } = await asAda('teams.list');
    expect(teams.map(({ slug, membership }) => [slug, membership.role])).toEqual([['acme', 'owner']]);
    expect(pagination.next).toBeNull();
    expect(await asAda('teams.get', { params: { id: 'acme' } })).toEqual(teams[0]);
  });

  test('a project is read by id and name, changed, listed page by page, and its name is gone for good', async () => {
    const created = await asAda('projects.create', { query: { slug: 'acme' }, body: { name: 'shop' } });
    const byName = await asAda('projects.get', { params: { idOrName: 'shop' } });
    expect(await asAda('projects.get', { params: { idOrName: created.id } })).toEqual(byName);
    const changed = await asAda('projects.update', {
      params: { idOrName: 'shop' },
      body: { oidcTokenConfig: { enabled: true, issuerMode: 'global', audiences: ['sts.example'] } },
    });
    expect(changed.oidcTokenConfig).toEqual({
      enabled: true,
      issuerMode: 'global',
      subjectForm: 'names',
      mintPolicy: null,
      audiences: ['sts.example'],
    });
    const first = await asAda('projects.list', { query: { limit: 1 } });
    const second = await asAda('projects.list', { query: { limit: 1, cursor: first.pagination.next! } });
    expect([...first.projects, ...second.projects].map(({ name }) => name)).toEqual(['site', 'shop']);
    expect(second.pagination.next).toBeNull();
    await asAda('projects.delete', { params: { idOrName: 'shop' } });
    expect(await refusal(asAda('projects.get', { params: { idOrName: created.id } }))).toBe('not_found');
    expect(await refusal(asAda('projects.create', { body: { name: 'shop' } }))).toBe('name_taken');
  });

  test('an address of our own is no audience', async () => {
    const audiences = [`${tessera.urls.origin}/acme`];
    const change = asAda('projects.update', {
      params: { idOrName: 'site' },
      body: { oidcTokenConfig: { audiences } },
    });
    expect(await refusal(change)).toBe('bad_request');
  });

  test('the deployments of a project are listed, the newest first, page by page', async () => {
    await asAda('projects.create', { body: { name: 'listed' } });
    const made: string[] = [];
    for (const environment of ['production', 'preview', 'production']) {
      const { id } = await asAda('deployments.create', {
        body: { projectId: 'listed', environment, upstream },
      });
      made.unshift(id);
      tessera.advance(1);
    }
    const list = (more: object = {}) =>
      asAda('deployments.list', { query: { projectId: 'listed', ...more } });
    const first = await list({ limit: 2 });
    expect(first.deployments.map(({ id }) => id)).toEqual(made.slice(0, 2));
    const rest = await list({ limit: 2, cursor: first.pagination.next ?? '' });
    expect(rest.deployments.map(({ id }) => id)).toEqual(made.slice(2));
    expect(rest.pagination.next).toBeNull();
    const [newest] = (await list({ environment: 'production', limit: 1 })).deployments;
    expect(newest).toEqual(await asAda('deployments.get', { params: { id: made[0] ?? '' } }));
    expect((await list({ environment: 'preview' })).deployments.map(({ id }) => id)).toEqual([made[1]]);
    expect(await refusal(asAda('deployments.list', { query: { projectId: 'nobodys' } }))).toBe('not_found');
  });

  test('a deployment gets a host and shows its secret once', async () => {
    const created = await asAda('deployments.create', {
      body: { projectId: 'site', environment: 'production', upstream, git: { ref: 'main', fork: false } },
    });
    expect(created.workloadSecret).toMatch(/^dws_[0-9A-Za-z]{49}$/);
    expect(new URL(created.url).hostname).toMatch(/^site-[a-z0-9]{9}-acme\./);
    const read = await asAda('deployments.get', { params: { id: created.id } });
    expect(read).toEqual({ ...created, workloadSecret: undefined });
    expect(JSON.stringify(read)).not.toContain(created.workloadSecret);
    await asAda('deployments.delete', { params: { id: created.id } });
    expect(await refusal(asAda('deployments.get', { params: { id: created.id } }))).toBe('not_found');
  });

  test.each([
    ['an upstream in the cloud', { upstream: 'http://169.254.169.254' }, 'upstream_refused'],
    ['a public upstream', { upstream: 'http://192.0.2.1' }, 'upstream_refused'],
    ['an upstream with a password', { upstream: 'http://a:b@127.0.0.1' }, 'bad_request'],
    ['an upstream with a path', { upstream: 'http://127.0.0.1/x' }, 'bad_request'],
    ['a file as upstream', { upstream: 'file:///etc/passwd' }, 'bad_request'],
    ['a host outside', { hosts: [{ host: 'www.example.com', kind: 'alias' }] }, 'host_refused'],
    ['a host with a port', { hosts: [{ host: 'a.app.localhost:80', kind: 'alias' }] }, 'bad_request'],
    ['an unknown environment', { environment: 'staging' }, 'unknown_environment'],
    ['a development deployment', { environment: 'development' }, 'unknown_environment'],
    ['an unknown project', { projectId: 'nothing' }, 'not_found'],
  ] as const)('%s is refused', async (_, change, code) => {
    const body = { projectId: 'site', environment: 'production', upstream, ...(change as object) };
    expect(await refusal(asAda('deployments.create', { body }))).toBe(code);
  });

  test('somebody invited has their role and no more', async () => {
    const asDev = await invite('dev@acme.example', 'developer');
    const deploy = (environment: string) =>
      refusal(asDev('deployments.create', { body: { projectId: 'site', environment, upstream } }));
    expect(await deploy('preview')).toBe('allowed');
    expect(await deploy('production')).toBe('forbidden');
    expect(await refusal(asDev('projects.create', { body: { name: 'mine' } }))).toBe('forbidden');
    expect(await refusal(asDev('audit-log.list'))).toBe('forbidden');
    const { members } = await asDev('members.list', { params: { id: 'acme' } });
    expect(members.map(({ email, role }) => [email, role])).toContainEqual(['dev@acme.example', 'developer']);
    const again = asAda('members.add', {
      params: { id: 'acme' },
      body: { email: 'DEV@acme.example', role: 'owner' },
    });
    expect(await refusal(again)).toBe('already_member');
  });

  test('a member gets another role and is removed, the last owner neither, even when two owners race', async () => {
    const team = await asAda('teams.create', { body: { slug: `crew-${kind}` } });
    const add = (email: string, role: Role) =>
      asAda('members.add', { params: { id: team.id }, body: { email, role } });
    const dev = (await add('dev@acme.example', 'developer')).userId!;
    const own = (await asAda('users.get')).user.id;
    const params = { id: team.id, userId: dev };
    const changed = await asAda('members.update', { params, body: { role: 'viewer' } });
    expect(changed).toMatchObject({ userId: dev, role: 'viewer', email: 'dev@acme.example' });
    const self = { id: team.id, userId: own };
    expect(await refusal(asAda('members.update', { params: self, body: { role: 'member' } }))).toBe(
      'last_owner',
    );
    expect(await refusal(asAda('members.remove', { params: self }))).toBe('last_owner');
    await asAda('members.update', { params: self, body: { role: 'owner' } });
    await asAda('members.update', { params, body: { role: 'owner' } });
    const outcomes = await Promise.all([
      refusal(asAda('members.remove', { params })),
      refusal(asAda('members.remove', { params: self })),
    ]);
    expect(outcomes.filter((one) => one === 'allowed')).toHaveLength(1);
    const nobody = { id: 'acme', userId: `usr_${'0'.repeat(24)}` };
    expect(await refusal(asAda('members.remove', { params: nobody }))).toBe('not_found');
    const records = (await asAda('audit-log.list', { query: { slug: 'acme' } })).records;
    expect(records.filter(({ action }) => action.startsWith('member.')).length).toBeGreaterThan(0);
  });

  test('another team is Not Found, by its id and by the ids of what it owns', async () => {
    const asEve = await invite('eve@acme.example', 'member');
    const own = await asEve('teams.create', { body: { slug: `eve-${kind}` } });
    const { projects } = await asAda('projects.list', { query: { slug: 'acme' } });
    const site = projects.find(({ name }) => name === 'site')!;
    const query = { teamId: own.id };
    const deployment = await asAda('deployments.create', {
      query: { slug: 'acme' },
      body: { projectId: 'site', environment: 'production', upstream },
    });
    const attempts = [
      asAda('teams.get', { params: { id: own.id } }),
      asAda('projects.list', { query }),
      asEve('projects.get', { params: { idOrName: site.id }, query }),
      asEve('projects.get', { params: { idOrName: 'site' }, query }),
      asEve('projects.update', { params: { idOrName: site.id }, query, body: { name: 'stolen' } }),
      asEve('deployments.get', { params: { id: deployment.id }, query }),
      asEve('deployments.list', { query: { ...query, projectId: site.id } }),
      asEve('deployments.delete', { params: { id: deployment.id }, query }),
      asEve('deployments.create', { query, body: { projectId: site.id, environment: 'preview', upstream } }),
      asEve('tokens.mint', { params: { idOrName: site.id }, query }),
    ].map(refusal);
    expect(await Promise.all(attempts)).toEqual(attempts.map(() => 'not_found'));
    const hosts = [{ host: new URL(deployment.url).hostname, kind: 'alias' as const }];
    await asEve('projects.create', { query, body: { name: 'site' } });
    const squat = asEve('deployments.create', {
      query,
      body: { projectId: 'site', environment: 'production', upstream, hosts },
    });
    expect(await refusal(squat)).toBe('host_taken');
  });

  test('every change is in the audit log, with the reference of its request', async () => {
    const { id } = await asAda('projects.create', { query: { slug: 'acme' }, body: { name: 'audited' } });
    const response = await send(`${tessera.urls.api}/v9/projects/audited?slug=acme`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${adaToken}`, 'content-type': 'application/json' },
      body: '{"environments":["staging"]}',
    });
    expect(response.status).toBe(200);
    const { records } = await asAda('audit-log.list', { query: { slug: 'acme', limit: 100 } });
    const own = records.filter(({ object }) => object === id);
    expect(own.map(({ action }) => action)).toEqual(['project.update', 'project.create']);
    expect(own[0]).toMatchObject({
      actor: expect.stringMatching(/^tok_/),
      before: { environments: ['production', 'preview', 'development'] },
      after: { environments: ['production', 'preview', 'development', 'staging'] },
      reference: response.headers['x-vercel-id'],
    });
    const first = await asAda('audit-log.list', { query: { slug: 'acme', limit: 1 } });
    const second = await asAda('audit-log.list', {
      query: { slug: 'acme', limit: 1, cursor: first.pagination.next! },
    });
    expect([...first.records, ...second.records]).toEqual(records.slice(0, 2));
  });

  test('the document is public; everything else is 401, 404 or 405 as a problem document', async () => {
    const document = (await send(`${tessera.urls.api}/openapi.json`)).json() as { openapi: string };
    expect(document.openapi).toBe('3.1.0');
    for (const [method, path, status] of [
      ['GET', '/v2/user', 401],
      ['GET', '/v9/projects/%E0%A4%A', 401],
      ['GET', '/v3/nothing', 404],
      ['PUT', '/v2/user', 405],
    ] as const) {
      const answer = await send(`${tessera.urls.api}${path}`, { method });
      expect([path, answer.status]).toEqual([path, status]);
      expect(answer.headers['content-type']).toBe('application/problem+json');
      expect(problemSchema.parse(answer.json()).reference).toBe(answer.headers['x-vercel-id']);
    }
  });

  test('what needs a fresh login is refused once the login is a day old', async () => {
    const token = await createApiToken(tessera.urls.origin, ada, { name: 'to grow old' });
    tessera.advance(24 * 3_600_000 + 1);
    const rename = clientOf(token)('teams.update', { params: { id: 'acme' }, body: { name: 'Acme Inc.' } });
    expect(await refusal(rename)).toBe('fresh_authentication_required');
    const read = await clientOf(token)('teams.get', { params: { id: 'acme' } });
    expect(read.name).toBe('Acme');
  });
});
