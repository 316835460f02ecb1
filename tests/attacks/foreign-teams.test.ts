import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../../packages/contract/src/index.ts';
import { createApiToken, setUpPerson } from '../harness/front-door.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { createApp } from '../harness/sign-in-world.ts';
import { send, type Answer } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';

type Attempt = { method: string; path: string; body?: object };

describe('the objects of another team', () => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let outsiderToken: string;
  let outsiderTeamId: string;
  let attempts: Attempt[];

  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    ({ token: outsiderToken, teamId: outsiderTeamId } = await createOutsider(
      world,
      tessera.urls.origin,
      tessera.urls.api,
    ));
    const { clientId } = await createApp(world.call, world.team.id);
    const { id: policy } = await world.call('trust-policies.create', {
      query: { teamId: world.team.id },
      body: {
        name: 'CI',
        issuer: 'https://ci.example',
        audience: 'us',
        claims: [{ name: 'sub', values: [{ value: 'repo:acme/shop' }] }],
        permissions: ['project:read'],
      },
    });
    await world.call('project-domains.add', {
      query: { teamId: world.team.id },
      params: { idOrName: world.deployment.projectId },
      body: { name: 'www.acme.com' },
    });
    attempts = attemptsOn({
      teamId: world.team.id,
      slug: world.team.slug,
      project: world.deployment.projectId,
      deployment: world.deployment.id,
      host: new URL(world.deployment.url).hostname,
      connector: world.connectorId,
      app: clientId,
      policy,
    });
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  function ask({ method, path, body }: Attempt, team: string | undefined): Promise<Answer> {
    const url = new URL(`${tessera.urls.api}${path}`);
    if (team !== undefined) url.searchParams.set('teamId', team);
    return send(url, {
      method,
      headers: {
        authorization: `Bearer ${outsiderToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  test('are Not Found for an outsider who names that team', async () => {
    for (const attempt of attempts) {
      for (const team of [world.team.id, world.team.slug]) {
        const answer = await ask(attempt, team);
        expectNotFound(answer, attempt);
      }
    }
  });

  test('are Not Found for an outsider who names their own team', async () => {
    for (const attempt of attempts.filter(
      ({ path }) => /_[0-9A-Za-z]{24}/.test(path) && !path.includes('/teams/'),
    )) {
      expectNotFound(await ask(attempt, outsiderTeamId), attempt);
    }
  });

  test('look the same as objects that do not exist', async () => {
    const real = await ask(
      { method: 'GET', path: `/v9/projects/${world.deployment.projectId}` },
      world.team.id,
    );
    const absent = await ask(
      { method: 'GET', path: `/v9/projects/prj_${'0'.repeat(24)}` },
      `team_${'0'.repeat(24)}`,
    );
    const withoutNames = ({ text }: Answer): string =>
      text.replaceAll(/(team|prj)_\w{24}/g, '$1_…').replaceAll(/req_\w+/g, 'req_…');
    expect(withoutNames(real)).toBe(withoutNames(absent));
  });

  test('cannot be used in objects of the own team', async () => {
    const project = await ask(
      { method: 'POST', path: '/v1/projects', body: { name: 'mine' } },
      outsiderTeamId,
    );
    expect(project.status, project.text).toBe(201);
    const stolen = await ask(
      {
        method: 'PATCH',
        path: '/v9/projects/mine',
        body: { passport: { connectorId: world.connectorId, deploymentType: 'all' } },
      },
      outsiderTeamId,
    );
    expect(stolen.status).toBeGreaterThanOrEqual(400);
    expect(stolen.status).toBeLessThan(500);
    const deployed = await ask(
      {
        method: 'POST',
        path: '/v1/deployments',
        body: {
          projectId: world.deployment.projectId,
          environment: 'production',
          upstream: 'http://127.0.0.1:9',
        },
      },
      outsiderTeamId,
    );
    expect(deployed.status).toBe(404);
  });

  test('are still there afterwards', async () => {
    const query = { teamId: world.team.id };
    const project = await world.call('projects.get', { params: { idOrName: 'site' }, query });
    expect(project.passport?.connectorId).toBe(world.connectorId);
    await world.call('deployments.get', { params: { id: world.deployment.id }, query });
  });
});

function expectNotFound(answer: Answer, { method, path }: Attempt): void {
  expect(answer.status, `${method} ${path}: ${answer.text}`).toBe(404);
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
}

/** Every route of a team, on objects that exist. */
function attemptsOn(
  ids: Record<'teamId' | 'slug' | 'project' | 'deployment' | 'host' | 'connector' | 'app' | 'policy', string>,
): Attempt[] {
  const { teamId, project, deployment, host, connector, app, policy } = ids;
  const get = (path: string): Attempt => ({ method: 'GET', path });
  return [
    get(`/v2/teams/${teamId}`),
    { method: 'PATCH', path: `/v2/teams/${teamId}`, body: { name: 'Mine' } },
    get(`/v1/teams/${teamId}/signing-keys`),
    {
      method: 'PUT',
      path: `/v1/teams/${teamId}/signing-keys/workload`,
      body: { inGlobalKeySet: false },
    },
    { method: 'POST', path: `/v1/teams/${teamId}/signing-keys/workload/rotate`, body: {} },
    { method: 'DELETE', path: `/v1/teams/${teamId}/signing-keys/workload` },
    get(`/v1/teams/${teamId}/members`),
    {
      method: 'POST',
      path: `/v1/teams/${teamId}/members`,
      body: { email: 'eve@evil.example', role: 'owner' },
    },
    { method: 'PATCH', path: `/v1/teams/${teamId}/members/usr_${'0'.repeat(24)}`, body: { role: 'owner' } },
    { method: 'DELETE', path: `/v1/teams/${teamId}/members/usr_${'0'.repeat(24)}` },
    get(`/v9/projects`),
    { method: 'POST', path: '/v1/projects', body: { name: 'mine' } },
    get(`/v9/projects/${project}`),
    get(`/v9/projects/site`),
    { method: 'PATCH', path: `/v9/projects/${project}`, body: { passport: null } },
    { method: 'DELETE', path: `/v9/projects/${project}` },
    { method: 'POST', path: `/v1/projects/${project}/token`, body: { environment: 'production' } },
    {
      method: 'POST',
      path: `/v1/projects/${project}/token/explain`,
      body: { environment: 'production' },
    },
    { method: 'POST', path: `/v10/projects/${project}/domains`, body: { name: 'www.evil.com' } },
    get(`/v9/projects/${project}/domains`),
    get(`/v9/projects/${project}/domains/www.acme.com`),
    { method: 'POST', path: `/v9/projects/${project}/domains/www.acme.com/verify` },
    { method: 'DELETE', path: `/v9/projects/${project}/domains/www.acme.com` },
    {
      method: 'POST',
      path: '/v1/deployments',
      body: { projectId: project, environment: 'production', upstream: 'http://127.0.0.1:9' },
    },
    get(`/v1/deployments/${deployment}`),
    { method: 'POST', path: `/v1/deployments/${deployment}/workload-secret`, body: {} },
    { method: 'DELETE', path: `/v1/deployments/${deployment}` },
    get(`/v1/connectors/${connector}`),
    { method: 'PATCH', path: `/v1/connectors/${connector}`, body: { name: 'Mine' } },
    { method: 'POST', path: `/v1/connectors/${connector}/test` },
    { method: 'DELETE', path: `/v1/connectors/${connector}` },
    get(`/v1/apps/${app}`),
    { method: 'PATCH', path: `/v1/apps/${app}`, body: { name: 'Mine' } },
    { method: 'POST', path: `/v1/apps/${app}/secrets` },
    { method: 'DELETE', path: `/v1/apps/${app}` },
    get(`/v1/projects/${project}/protection-bypass`),
    { method: 'PATCH', path: `/v1/projects/${project}/protection-bypass`, body: { generate: {} } },
    get(`/v1/aliases/${deployment}/protection-bypass`),
    { method: 'PATCH', path: `/v1/aliases/${deployment}/protection-bypass`, body: {} },
    get(`/v1/aliases/${host}/protection-bypass`),
    { method: 'PATCH', path: `/v1/aliases/${host}/protection-bypass`, body: {} },
    { method: 'POST', path: '/v1/protection/explain', body: { host } },
    get('/v1/passport-sessions'),
    { method: 'DELETE', path: '/v1/passport-sessions?all=true' },
    get('/v1/passport/usage'),
    {
      method: 'POST',
      path: '/v1/passport/assign',
      body: { connectorId: connector, deploymentType: 'all', projectIds: [project] },
    },
    {
      method: 'POST',
      path: `/v1/projects/${project}/passport/simulate`,
      body: { visitor: { claims: {} }, policy: 'everyone' },
    },
    get('/v1/oidc-federation/policies'),
    get(`/v1/oidc-federation/policies/${policy}`),
    { method: 'PATCH', path: `/v1/oidc-federation/policies/${policy}`, body: { name: 'Mine' } },
    { method: 'DELETE', path: `/v1/oidc-federation/policies/${policy}` },
    { method: 'POST', path: '/v1/oidc-federation/policies/simulate', body: { token: 'x.y.z' } },
    get('/v1/audit-log'),
  ];
}

async function createOutsider(
  { call, team }: PassportWorld,
  origin: string,
  api: string,
): Promise<{ token: string; teamId: string }> {
  // Invitations come from a team; this one is left again by never naming it: the outsider joins a team of its own.
  const lobby = await call('teams.create', { body: { slug: 'lobby', name: 'Lobby' } });
  const { invitation } = await call('members.add', {
    params: { id: lobby.id },
    body: { email: 'eve@evil.example', role: 'owner' },
  });
  if (!invitation) throw new Error('no invitation was made');
  const eve = await setUpPerson(invitation.url, {
    email: 'eve@evil.example',
    password: 'another passphrase of 7 words, really',
    name: 'Eve',
  });
  const token = await createApiToken(origin, eve, { name: 'all' });
  const own = createClient({ baseUrl: api, token });
  const { id } = await own('teams.create', { body: { slug: 'eve', name: 'Eve' } });
  expect((await own('teams.list')).teams.map(({ slug }) => slug)).not.toContain(team.slug);
  return { token, teamId: id };
}
