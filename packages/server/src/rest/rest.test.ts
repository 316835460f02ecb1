import {
  getRoute,
  permissions,
  problemSchema,
  routes,
  type Permission,
  type Problem,
  type Role,
  type Route,
} from '@tessera/contract';
import { describe, expect, it, test } from 'vitest';
import { createSilentLogger } from '#logger';
import { createShiftedClock } from '#clock';
import { oauthError } from '#errors';
import { createHostTable, problemAnswer, type RestCall, type RestDoor } from '#http';
import type { PresentedAccessToken, PresentedApiToken } from './caller.ts';
import { passport, projectId, rows, type Row } from './permission-rows.ts';
import { createRestDoor } from './rest.ts';

const acme = {
  id: `team_${'a'.repeat(24)}`,
  slug: 'acme',
  passportEnabled: true,
  workloadAlgorithm: 'RS256',
} as const;
const other = { ...acme, id: `team_${'b'.repeat(24)}`, slug: 'other' };
const roleNames = ['owner', 'member', 'developer', 'security', 'viewer'] as const;

const all: readonly Route[] = routes;

/** Doors that answer every route with nothing, and ask what the real room asks where the object decides. */
function emptyDoors(environment?: string): RestDoor[] {
  return all.map((route) => {
    const answer = async ({ authorize }: RestCall) => {
      if (typeof route.permission === 'object' && 'anyOf' in route.permission) {
        const [first] = route.permission.anyOf;
        if (first === 'protection-bypass:write') {
          authorize(first, { projectId, ...(environment === undefined ? {} : { shareLinkOf: environment }) });
          return {};
        }
        const isMint = first === 'oidc-token:development';
        const permission = isMint
          ? environment === 'development'
            ? first
            : 'oidc-token:build'
          : (`deployment:write:${environment as 'preview'}` as const);
        authorize(permission, { projectId, ...(environment === undefined ? {} : { environment }) });
      }
      return {};
    };
    return { route, answer };
  });
}

type World = {
  role?: Role | undefined;
  environment?: string | undefined;
  token?: Partial<PresentedApiToken>;
  accessToken?: PresentedAccessToken | undefined;
  passportEnabled?: boolean;
  disabled?: boolean;
};

/** The REST API with one token `good`, of a person who has the role in the team acme and none elsewhere. */
function api({
  role = 'owner',
  environment,
  token,
  accessToken,
  passportEnabled = true,
  disabled,
}: World = {}) {
  const clock = createShiftedClock();
  const teams = [{ ...acme, passportEnabled }, other];
  const presented: PresentedApiToken = {
    id: 'tok_1',
    userId: 'usr_ada',
    teamId: undefined,
    permissions: 'role',
    projectIds: [],
    builds: [],
    freshUntil: 0,
    ...token,
  };
  const door = createRestDoor({
    doors: emptyDoors(environment),
    clock,
    api: 'http://localhost:4000/api',
    authenticateApiToken: async (text) => (text === 'good' ? presented : undefined),
    findAccessToken: async (text) => (text === 'access' ? accessToken : undefined),
    verifySender: async ({ boundTo }) => {
      if (boundTo !== undefined) throw oauthError('invalid_token', 'no proof', { status: 401 });
    },
    findUser: async (id) => ({ id, disabledAt: disabled ? 1 : undefined }),
    findTeam: async (id) => teams.find((team) => team.id === id),
    findTeamBySlug: async (slug) => teams.find((team) => team.slug === slug),
    findMembership: async (teamId) => (teamId === acme.id ? { role } : undefined),
    listTeamsOfUser: async () => [{ team: teams[0]!, role }],
  });
  const table = createHostTable(
    [{ base: 'http://localhost:4000/api', doors: [door], errors: problemAnswer }],
    createSilentLogger(),
  );
  return async (path: string, init: RequestInit = {}, bearer: string | undefined = 'good') => {
    const headers = new Headers(init.headers);
    if (bearer !== '') headers.set('authorization', `Bearer ${bearer}`);
    if (typeof init.body === 'string') {
      headers.set('content-length', String(Buffer.byteLength(init.body)));
      if (!headers.has('content-type')) headers.set('content-type', 'application/json');
    }
    const request = new Request(`http://localhost:4000/api${path}`, { ...init, headers });
    const facts = { reference: 'req_test', clientAddress: '127.0.0.1' };
    return table.find('localhost:4000')!.fetch(request, { facts });
  };
}

function callOf({ route: name, body }: Row, team: string = acme.id): [string, RequestInit] {
  const route = all.find((known) => known.name === name)!;
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_, parameter: string) =>
    parameter === 'purpose'
      ? 'workload'
      : parameter === 'domain'
        ? 'www.example.com'
        : route.team === 'path'
          ? team
          : 'thing',
  );
  const query = new URLSearchParams(route.team === 'query' ? { teamId: team } : {});
  for (const needed of ['reference', 'secretId', 'projectId']) {
    if (route.query?.shape[needed] !== undefined) query.set(needed, 'x');
  }
  const [type] = route.upload?.types ?? [];
  if (type !== undefined) {
    return [
      `${path}?${query.toString()}`,
      { method: route.method, headers: { 'content-type': type }, body: 'x' },
    ];
  }
  return [
    `${path}?${query.toString()}`,
    { method: route.method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) },
  ];
}

const fresh = Number.MAX_SAFE_INTEGER;
const nameOf = ({ route, body, environment }: Row) =>
  `${route} ${environment ?? (body === undefined ? '' : Object.keys(body as object).join(','))}`;
const isAllowed = (status: number) => status >= 200 && status < 300;

test('every route that asks for a permission has its rows', () => {
  const guarded = all.filter(({ permission }) => permission !== 'none').map(({ name }) => name);
  expect([...new Set(rows.map(({ route }) => route))].toSorted()).toEqual(guarded.toSorted());
});

describe.each(rows.map((row) => [nameOf(row), row] as const))('%s', (_, row) => {
  const cells = row.roles.split(' ');
  const route = getRoute(row.route as 'teams.get') as Route;

  it.each(roleNames.map((role, index) => [role, cells[index]!] as const))('as %s: %s', async (role, cell) => {
    const { environment } = row;
    const stale = await api({ role, environment })(...callOf(row));
    const late = await api({ role, environment, token: { freshUntil: fresh } })(...callOf(row));
    expect([isAllowed(stale.status), isAllowed(late.status)]).toEqual([cell === '●', cell !== '–']);
    const refused = isAllowed(stale.status) ? [] : [((await stale.json()) as Problem).code];
    const code = cell === '–' ? 'forbidden' : 'fresh_authentication_required';
    expect(refused).toEqual(cell === '●' ? [] : [code]);
  });

  it.each(route.team === 'none' ? [] : [route.team])(
    'is Not Found to everybody outside, like a team that does not exist (team in the %s)',
    async () => {
      const call = api({ environment: row.environment, token: { freshUntil: fresh } });
      const bodies = [];
      for (const team of [other.id, other.slug, `team_${'c'.repeat(24)}`, 'nobody']) {
        const response = await call(...callOf(row, team));
        expect(response.status).toBe(404);
        bodies.push((await response.text()).replaceAll(team, 'TEAM'));
      }
      expect(new Set(bodies).size).toBe(1);
      const foreign = api({ environment: row.environment, token: { teamId: other.id, freshUntil: fresh } });
      expect((await foreign(...callOf(row))).status).toBe(404);
    },
  );

  it('opens to a token by exactly the permission it was given', async () => {
    const { environment } = row;
    const given = (permissions: readonly Permission[], projectIds = [projectId]) =>
      api({ environment, token: { teamId: acme.id, permissions, projectIds, freshUntil: fresh } })(
        ...callOf(row),
      );

    for (const permission of permissions) {
      const { status } = await given([permission]);
      expect([permission, isAllowed(status)]).toEqual([permission, permission === row.token]);
    }
  });
});

test('a builder may mint where an owner let it, and nowhere else, and only while the giver is an owner', async () => {
  const token = { teamId: acme.id, permissions: [], builds: [{ projectId, environment: 'production' }] };
  const mint = (environment: string, world: World = {}) =>
    api({ environment, token, ...world })('/v1/projects/site/token', { method: 'POST' });
  expect((await mint('production')).status).toBe(200);
  expect((await mint('preview')).status).toBe(403);
  expect((await mint('development')).status).toBe(403);
  expect((await mint('production', { role: 'member' })).status).toBe(403);
  const elsewhere = { ...token, builds: [{ projectId: 'prj_two', environment: 'production' }] };
  expect((await mint('production', { token: elsewhere })).status).toBe(403);
});

test('a token deploys to the projects it names alone', async () => {
  const permissions: Permission[] = ['deployment:write:preview'];
  const call = callOf(
    rows.find(({ route, environment }) => route === 'deployments.create' && environment === 'preview')!,
  );
  const deploy = (projectIds: string[]) =>
    api({ environment: 'preview', token: { teamId: acme.id, permissions, projectIds } })(...call);
  expect((await deploy([projectId])).status).toBe(201);
  expect((await deploy(['prj_two'])).status).toBe(403);
  expect((await deploy([])).status).toBe(403);
});

test("an app's access token may what it was given and the role allows, in its one team", async () => {
  const accessToken = {
    clientId: 'cl_1',
    userId: 'usr_ada',
    teamId: acme.id,
    permissions: new Set<Permission>(['project:read', 'team:write', 'user:read']),
    dpopJkt: undefined,
    needsDpopNonce: false,
  };
  const status = async (world: World, path: string, init?: RequestInit) =>
    (await api({ accessToken, ...world })(path, init, 'access')).status;
  const rename = { method: 'PATCH', body: '{"name":"New"}' };
  expect(await status({}, '/v9/projects')).toBe(200);
  expect(await status({}, '/v2/user')).toBe(200);
  expect(await status({}, '/v1/audit-log')).toBe(403);
  expect(await status({}, `/v9/projects?teamId=${other.id}`)).toBe(404);
  expect(await status({}, `/v2/teams/${acme.id}`, rename)).toBe(403);
  const profile = { ...accessToken, teamId: undefined };
  expect(await status({ accessToken: profile }, '/v2/user')).toBe(200);
  expect(await status({ accessToken: profile }, '/v9/projects?slug=acme')).toBe(404);
  // A bearer alone is not enough for a token that is bound to a key.
  expect(await status({ accessToken: { ...accessToken, dpopJkt: 'thumbprint' } }, '/v9/projects')).toBe(401);
});

test('without Passport its settings and connectors are Not Found, and the rest is not', async () => {
  const call = api({ passportEnabled: false, token: { freshUntil: fresh } });
  for (const row of rows.filter(({ route }) => route.startsWith('connectors.'))) {
    expect((await call(...callOf(row))).status).toBe(404);
  }
  const patch = (body: unknown) => call('/v9/projects/site', { method: 'PATCH', body: JSON.stringify(body) });
  expect((await patch({ passport })).status).toBe(404);
  expect((await patch({ name: 'two' })).status).toBe(200);
});

describe('the caller', () => {
  it.each([
    ['no token', undefined],
    ['an unknown token', 'Bearer nobody'],
    ['another scheme', 'Basic Z29vZA=='],
    ['two tokens', 'Bearer good, Bearer good'],
    ['no space', 'Bearergood'],
  ])('with %s is 401 with a challenge', async (_, authorization) => {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const response = await api()('/v2/user', { headers }, '');
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm="http:\/\/localhost:4000\/api"/);
    const problem = problemSchema.parse(await response.json());
    expect(problem).toMatchObject({ code: 'unauthorized', status: 401, reference: 'req_test' });
    expect(response.headers.get('content-type')).toBe('application/problem+json');
  });

  it('who may not log in any more is nobody', async () => {
    expect((await api({ disabled: true })('/v2/user')).status).toBe(401);
  });

  it('is not taken from the query or a cookie', async () => {
    const response = await api()('/v2/user?access_token=good', { headers: { cookie: 'token=good' } }, '');
    expect(response.status).toBe(401);
  });
});

describe('the team', () => {
  it('may be left out where there is only one, or the token has one', async () => {
    expect((await api()('/v9/projects')).status).toBe(200);
    expect((await api({ token: { teamId: acme.id } })('/v9/projects')).status).toBe(200);
  });

  it('is named by id or slug in either parameter, but not two ways at once', async () => {
    for (const query of ['teamId=acme', 'slug=acme', `slug=${acme.id}`, `teamId=${acme.id}&slug=acme`]) {
      expect((await api()(`/v9/projects?${query}`)).status).toBe(200);
    }
    expect((await api()(`/v2/teams/acme?teamId=${acme.id}`)).status).toBe(200);
    expect((await api()('/v2/user?teamId=acme')).status).toBe(200);
    expect((await api()('/v9/projects?teamId=acme&slug=other')).status).toBe(400);
    expect((await api()('/v2/teams/acme?teamId=other')).status).toBe(400);
    expect((await api()('/v2/teams/other?teamId=acme')).status).toBe(404);
    expect((await api()('/v9/projects?slug=acme&slug=other')).status).toBe(400);
  });
});

describe('bad input', () => {
  const post = (body: string | undefined, headers: Record<string, string> = {}) =>
    api()('/v1/projects', { method: 'POST', headers, ...(body === undefined ? {} : { body }) });

  it.each([
    ['no body', undefined, 415],
    ['no JSON', '{', 400],
    ['a list', '[]', 400],
    ['a missing field', '{}', 400],
    ['an unknown field', '{"name":"site","isAdmin":true}', 400],
    ['__proto__', '{"name":"site","__proto__":{"isAdmin":true}}', 400],
    ['constructor', '{"name":"site","constructor":{"prototype":{}}}', 400],
    ['a number for a name', '{"name":5}', 400],
    ['a name like an id', '{"name":"prj_x"}', 400],
    ['a reserved word', '{"name":"oauth"}', 400],
    ['a deep body', `{"name":${'['.repeat(50)}${']'.repeat(50)}}`, 400],
    ['a large body', `{"name":"${'a'.repeat(70_000)}"}`, 413],
  ])('%s is a problem document', async (_, body, status) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    const problem = problemSchema.parse(await response.json());
    expect(problem.mend).not.toBe('');
    expect(problem.reference).toBe('req_test');
  });

  it('names the field, what was received and what was expected', async () => {
    const problem = (await (await post('{"name":"Site"}')).json()) as Problem;
    expect(problem.detail).toContain("'name'");
    expect(problem.detail).toContain('"Site"');
    expect(problem.detail).toContain('lower-case');
  });

  it('in the query is refused by name', async () => {
    for (const query of [
      'limit=0',
      'limit=x',
      'limit=101',
      'cursor=rubbish',
      'unknown=1',
      'passport=maybe',
    ]) {
      const response = await api()(`/v9/projects?${query}`);
      expect([query, response.status]).toEqual([query, 400]);
    }
  });

  it('of another type is 415', async () => {
    expect((await post('name=site', { 'content-type': 'text/plain' })).status).toBe(415);
  });

  it('of an unknown path is 404, of a wrong method 405 with Allow', async () => {
    const missing = await api()('/v1/nothing');
    expect([missing.status, problemSchema.parse(await missing.json()).code]).toEqual([404, 'not_found']);
    const wrong = await api()('/v9/projects/site', { method: 'PUT', body: '{}' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'HEAD, GET, PATCH, DELETE']);
  });

  it('of a body that may be left out is read when it is there', async () => {
    const mint = (init: RequestInit) =>
      api({ environment: 'development' })('/v1/projects/site/token', { method: 'POST', ...init });
    expect((await mint({})).status).toBe(200);
    expect((await mint({ body: '{}' })).status).toBe(200);
    expect((await mint({ body: '{"unknown":1}' })).status).toBe(400);
  });
});

test('a route without a door, or with two, does not start', () => {
  const needs = (doors: RestDoor[]) => () =>
    createRestDoor({ doors } as unknown as Parameters<typeof createRestDoor>[0]);
  expect(needs(emptyDoors().slice(1))).toThrow('openapi.get');
  expect(needs([...emptyDoors(), ...emptyDoors().slice(0, 1)])).toThrow('two REST doors');
});
