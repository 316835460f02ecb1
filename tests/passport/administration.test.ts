import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient, ProblemError, type Client } from '../../packages/contract/src/index.ts';
import { createApiToken, setUpPerson } from '../harness/front-door.ts';
import { createPassportWorld, passPassport, type PassportWorld } from '../harness/passport-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';

describe.each(databaseKinds)('Passport over many projects, on %s', (kind) => {
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

  const query = () => ({ teamId: world.team.id });
  const problemOf = (call: Promise<unknown>) =>
    call.then(
      () => undefined,
      (error: unknown) => (error instanceof ProblemError ? error.problem : error),
    );
  const auditOf = async (action: string) => {
    const { records } = await world.call('audit-log.list', { query: query() });
    return records.filter((record) => record.action === action);
  };

  describe('assigning a connector', () => {
    const create = (name: string) => world.call('projects.create', { query: query(), body: { name } });
    const passportOf = async (idOrName: string) =>
      (await world.call('projects.get', { params: { idOrName }, query: query() })).passport;

    test('shows first what would change, then changes exactly that, in one record', async () => {
      const [one, two] = [await create('one'), await create('two')];
      const before = await passportOf('site');
      const policy = { anyOf: [{ claim: 'groups', values: ['staff'] }] };
      await world.call('projects.update', {
        params: { idOrName: 'two' },
        query: query(),
        body: {
          passport: {
            connectorId: world.connectorId,
            deploymentType: 'preview',
            sessionLifetimeSeconds: 600,
            sessionIdleSeconds: 300,
            policy,
          },
        },
      });
      const body = {
        connectorId: world.connectorId,
        deploymentType: 'all' as const,
        projectIds: [one.id, 'two', two.id, world.deployment.projectId],
      };
      const shown = await world.call('passport.assign', { query: query(), body: { ...body, preview: true } });
      expect(shown.isPreview).toBe(true);
      expect(await passportOf('one')).toBeNull();

      const done = await world.call('passport.assign', { query: query(), body });
      expect(done).toEqual({ ...shown, isPreview: false });
      expect(done.changes.map(({ name, before, after }) => [name, before?.deploymentType, after])).toEqual([
        ['one', undefined, { ...before, deploymentType: 'all' }],
        [
          'two',
          'preview',
          {
            connectorId: world.connectorId,
            deploymentType: 'all',
            sessionLifetimeSeconds: 600,
            sessionIdleSeconds: 300,
            policy,
          },
        ],
      ]);
      expect(done.unchanged).toEqual([{ projectId: world.deployment.projectId, name: 'site' }]);
      expect(await passportOf('two')).toEqual(done.changes[1]?.after);
      expect(await auditOf('passport.assign')).toHaveLength(1);
    });

    test('changes nothing when one of the projects is not there', async () => {
      const three = await create('three');
      const problem = await problemOf(
        world.call('passport.assign', {
          query: query(),
          body: {
            connectorId: world.connectorId,
            deploymentType: 'all',
            projectIds: [three.id, 'prj_nothere'],
          },
        }),
      );
      expect(problem).toMatchObject({
        status: 400,
        code: 'unknown_project',
        detail: 'The team has no project "prj_nothere".',
      });
      expect(await passportOf('three')).toBeNull();
    });

    test('takes a connector of the own team alone', async () => {
      const body = { connectorId: 'scl_other', deploymentType: 'all' as const, projectIds: ['site'] };
      expect(await problemOf(world.call('passport.assign', { query: query(), body }))).toMatchObject({
        code: 'unknown_connector',
      });
    });
  });

  test('the default of the team is what new projects begin with; others keep what they have', async () => {
    const create = (name: string) => world.call('projects.create', { query: query(), body: { name } });
    const listed = async (passport: 'enabled' | 'disabled') =>
      (await world.call('projects.list', { query: { ...query(), passport, limit: 100 } })).projects.map(
        ({ name }) => name,
      );
    const setDefault = (defaultPassport: { connectorId: string; deploymentType: 'all' } | null) =>
      world.call('teams.update', { params: { id: world.team.id }, body: { defaultPassport } });
    const before = await create('before-default');
    expect(before.passport).toBeNull();
    const setting = { connectorId: world.connectorId, deploymentType: 'all' as const };
    expect((await setDefault(setting)).defaultPassport).toMatchObject(setting);
    const after = await create('after-default');
    expect(after.passport).toEqual({
      ...setting,
      sessionLifetimeSeconds: 12 * 3_600,
      sessionIdleSeconds: null,
      policy: 'everyone',
    });
    const site = await world.call('deployments.create', {
      query: query(),
      body: {
        projectId: after.id,
        environment: 'preview',
        upstream: world.upstream.url.replace('localhost', '127.0.0.1'),
      },
    });
    expect((await createVisitor().open(site.url)).status).toBe(303);
    expect((await passPassport(createVisitor(), site.url)).status).toBe(200);
    expect(await listed('disabled')).toContain('before-default');
    expect(await listed('disabled')).not.toContain('after-default');
    expect(await listed('enabled')).toContain('after-default');
    expect(await listed('enabled')).not.toContain('before-default');

    await setDefault(null);
    expect((await create('no-default')).passport).toBeNull();
    const read = (idOrName: string) => world.call('projects.get', { params: { idOrName }, query: query() });
    expect((await read('after-default')).passport).toMatchObject(setting);
    expect((await read('before-default')).passport).toBeNull();
    expect(await problemOf(setDefault({ ...setting, connectorId: 'scl_other' }))).toMatchObject({
      code: 'unknown_connector',
    });
  });

  test('a session ends when its visitor stays away for as long as the project says, and is listed so', async () => {
    const idle = await world.protect('idle');
    await world.call('projects.update', {
      params: { idOrName: idle.projectId },
      query: query(),
      body: {
        passport: { connectorId: world.connectorId, deploymentType: 'all', sessionIdleSeconds: 300 },
      },
    });
    const visitor = createVisitor();
    await passPassport(visitor, `${idle.url}/`);
    const listed = async () => {
      const { sessions } = await world.call('passport-sessions.list', {
        query: { ...query(), projectId: idle.projectId },
      });
      return sessions.map(({ idleExpiresAt }) => idleExpiresAt);
    };
    const statusOf = async () => (await visitor.open(`${idle.url}/`)).status;
    for (let time = 0; time < 3; time++) {
      const [before] = await listed();
      expect(before).toEqual(expect.any(Number));
      tessera.advance(240_000);
      expect(await statusOf()).toBe(200);
      await expect.poll(async () => (await listed())[0]).toBeGreaterThan((before ?? 0) + 200_000);
    }
    tessera.advance(301_000);
    expect(await listed()).toEqual([]);
    expect(await statusOf()).toBe(303);
    const tooShort = world.call('projects.update', {
      params: { idOrName: idle.projectId },
      query: query(),
      body: {
        passport: { connectorId: world.connectorId, deploymentType: 'all', sessionIdleSeconds: 10 },
      },
    });
    expect(await problemOf(tooShort)).toMatchObject({ status: 400 });
  });

  test('a connector that is deleted takes its sessions with it', async () => {
    const { projectId, url } = await world.protect('orphaned');
    const visitor = createVisitor();
    await passPassport(visitor, `${url}/`);
    const { issuer, clientId } = await world.call('connectors.get', {
      params: { id: world.connectorId },
      query: query(),
    });
    const clientSecret = 'a secret between the provider and Tessera';
    const other = await world.createConnector(world.team.id, { issuer, clientId, clientSecret });
    const setting = (connectorId: string) =>
      world.call('projects.update', {
        params: { idOrName: projectId },
        query: query(),
        body: { passport: { connectorId, deploymentType: 'all' } },
      });
    await setting(other);
    const leaving = createVisitor();
    await passPassport(leaving, `${url}/`);
    await setting(world.connectorId);
    const count = async (connectorId: string) =>
      (await world.call('passport-sessions.list', { query: { ...query(), projectId, connectorId } })).sessions
        .length;
    expect([await count(other), await count(world.connectorId)]).toEqual([1, 1]);
    await world.call('connectors.delete', { params: { id: other }, query: query() });
    expect([await count(other), await count(world.connectorId)]).toEqual([0, 1]);
    expect((await leaving.open(`${url}/`)).status).toBe(303);
    expect((await visitor.open(`${url}/`)).status).toBe(200);
  });

  test('a change of what is covered keeps the access policy, and how long sessions last', async () => {
    const { projectId } = await world.protect('kept');
    const update = async (passport: object | null) => {
      const project = await world.call('projects.update', {
        params: { idOrName: projectId },
        query: query(),
        body: { passport: passport as never },
      });
      return project.passport;
    };
    const setting = {
      connectorId: world.connectorId,
      deploymentType: 'all',
      policy: { anyOf: [{ claim: 'groups', values: ['board'] }] },
      sessionLifetimeSeconds: 600,
      sessionIdleSeconds: 300,
    };
    expect(await update(setting)).toEqual(setting);
    const covered = { connectorId: world.connectorId, deploymentType: 'preview' };
    expect(await update(covered)).toEqual({ ...setting, deploymentType: 'preview' });
    expect(await update({ ...covered, sessionIdleSeconds: null, policy: 'everyone' })).toEqual({
      ...setting,
      deploymentType: 'preview',
      sessionIdleSeconds: null,
      policy: 'everyone',
    });
    // What was switched off is gone: the next setting begins with none of it.
    expect(await update(null)).toBeNull();
    expect(await update(covered)).toMatchObject({ policy: 'everyone', sessionLifetimeSeconds: 43_200 });
  });

  test('the usage of a month names the projects that had Passport on in it, for whatever time', async () => {
    const short = await world.protect('for-a-day');
    await world.call('projects.update', {
      params: { idOrName: short.projectId },
      query: query(),
      body: { passport: null },
    });
    const usage = await world.call('passport.usage', { query: query() });
    expect(usage.projects).toContainEqual({ projectId: short.projectId, name: 'for-a-day' });
    expect(usage.projects).toContainEqual({ projectId: world.deployment.projectId, name: 'site' });
    expect(usage.projects.map(({ name }) => name)).not.toContain('three');
  });

  test('the simulator says of a session and of claims whether the policy lets them pass, and why', async () => {
    const { projectId } = world.deployment;
    const simulate = (body: object, call: Client = world.call) =>
      call('passport.simulate', {
        params: { idOrName: projectId },
        query: query(),
        body: body as never,
      });
    await passPassport(createVisitor(), `${world.deployment.url}/`);
    const { sessions } = await world.call('passport-sessions.list', { query: { ...query(), projectId } });
    const policy = {
      anyOf: [
        { claim: 'email_domain', values: ['corp.example'] },
        { claim: 'groups', values: ['board'] },
        { claim: 'groups', values: ['staff'] },
      ],
    };
    const ofSession = await simulate({ visitor: { sid: sessions[0]?.sid }, policy });
    expect(ofSession.allowed).toBe(true);
    expect(ofSession.rules.map(({ matches }) => matches)).toEqual([true, false, true]);
    const unverified = await simulate({ visitor: { email: 'eve@corp.example', claims: {} }, policy });
    expect(unverified).toMatchObject({
      allowed: false,
      rules: [{ because: 'The identity provider does not say that the address is verified.' }, {}, {}],
    });
    expect(await simulate({ visitor: { claims: {} } })).toMatchObject({ allowed: true, rules: [] });
    expect(await problemOf(simulate({ visitor: { sid: 'psid_other' } }))).toMatchObject({ status: 404 });

    // As at a sign-in: neither the name nor the address is a claim like those of the connector's list.
    for (const [claim, value] of [
      ['name', 'Grace Hopper'],
      ['email_verified', 'true'],
    ]) {
      const asked = { visitor: { sid: sessions[0]?.sid }, policy: { anyOf: [{ claim, values: [value] }] } };
      expect((await simulate(asked)).rules[0]?.because).toMatch(/^The visitor has no such claim/);
    }

    const { invitation } = await world.call('members.add', {
      params: { id: world.team.id },
      body: { email: `viewer-${kind}@acme.example`, role: 'viewer' },
    });
    const password = 'another long passphrase, 7 words';
    const email = `viewer-${kind}@acme.example`;
    const viewer = await setUpPerson(invitation?.url ?? '', { email, password, name: 'Viewer' });
    const call = createClient({
      baseUrl: tessera.urls.api,
      token: await createApiToken(tessera.urls.origin, viewer, { name: 'x' }),
    });
    expect((await simulate({ visitor: { claims: { groups: ['staff'] } }, policy }, call)).allowed).toBe(true);
    for (const sid of [sessions[0]?.sid, 'psid_other']) {
      expect(await problemOf(simulate({ visitor: { sid }, policy }, call))).toMatchObject({
        status: 403,
        detail: expect.stringContaining('"visitor:read"') as unknown,
      });
    }
  });

  describe('ending sessions', () => {
    async function enter(visitor: Visitor, url: string): Promise<boolean> {
      return (await passPassport(visitor, `${url}/`)).status === 200;
    }
    const isIn = async (visitor: Visitor, url: string) =>
      (await visitor.open(`${url}/`, { 'sec-fetch-mode': 'cors', accept: '*/*' })).status === 200;
    const end = (filter: Record<string, string>) =>
      world.call('passport-sessions.end-many', { query: { ...query(), ...filter } });

    test('of a project, of a person, of a connector, or of all ends those and no others', async () => {
      const other = await world.protect('other');
      const visitor = createVisitor();
      const enterBoth = async () => {
        expect(await enter(visitor, world.deployment.url)).toBe(true);
        expect(await enter(visitor, other.url)).toBe(true);
      };
      await end({ all: 'true' });
      await enterBoth();
      expect(await end({ projectId: other.projectId })).toEqual({ ended: 1 });
      expect([await isIn(visitor, world.deployment.url), await isIn(visitor, other.url)]).toEqual([
        true,
        false,
      ]);
      expect(await end({ externalSub: 'somebody else' })).toEqual({ ended: 0 });
      for (const filter of [
        { externalSub: 'staff|grace' },
        { connectorId: world.connectorId },
        { all: 'true' },
      ]) {
        await enterBoth();
        expect(await end(filter)).toEqual({ ended: 2 });
        expect([await isIn(visitor, world.deployment.url), await isIn(visitor, other.url)]).toEqual([
          false,
          false,
        ]);
      }
      expect((await auditOf('passport-session.end-many'))[0]).toMatchObject({ after: { sessions: 2 } });
    });

    test('without a filter is refused, and so is one beside "all"', async () => {
      expect(await problemOf(end({}))).toMatchObject({ status: 400, code: 'bad_request' });
      expect(await problemOf(end({ all: 'true', externalSub: 'x' }))).toMatchObject({ status: 400 });
    });

    test('comes with the end of the project', async () => {
      const gone = await world.protect('gone');
      await enter(createVisitor(), gone.url);
      const list = async () =>
        (
          await world.call('passport-sessions.list', {
            query: { ...query(), projectId: gone.projectId },
          })
        ).sessions.length;
      expect(await list()).toBe(1);
      await world.call('projects.delete', { params: { idOrName: gone.projectId }, query: query() });
      expect(await list()).toBe(0);
    });
  });
});
