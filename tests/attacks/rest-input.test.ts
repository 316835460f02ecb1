import { routes, type Route } from '@tessera/contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiToken, setUpPerson } from '../harness/front-door.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';

const all: readonly Route[] = routes;

/** Values that have broken parsers and databases before. */
const odd: readonly unknown[] = [
  null,
  true,
  -1,
  1e308,
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\u202e\u2066',
  "' or 1=1 --",
  '%',
  '../../etc/passwd',
  'x'.repeat(5_000),
  '__proto__',
  [],
  ['\u0000'],
  {},
  { toString: 1 },
  { $ne: null },
  [[[]]],
];
const oddNames = [
  '%00',
  'a%00b',
  '%ED%A0%80',
  '%FF',
  '%2e%2e',
  '%25',
  "'",
  '%20',
  'constructor',
  '__proto__',
];

/** A body that would do, with one field after the other replaced by something odd. */
const bodies: Partial<Record<Route['name'], Record<string, unknown>>> = {
  'teams.create': { slug: 'other', name: 'Other' },
  'teams.update': { name: 'Acme', slug: 'acme', workloadAlgorithm: 'RS256', defaultPassport: null },
  'members.add': { email: 'bob@acme.example', role: 'viewer' },
  'projects.create': { name: 'another' },
  'projects.update': {
    name: 'site',
    environments: [],
    passport: null,
    oidcTokenConfig: { enabled: true, issuerMode: 'team', audiences: [] },
  },
  'members.update': { role: 'viewer' },
  'tokens.explain': {
    environment: 'production',
    deploymentId: 'dpl_x',
    audience: 'x',
    git: { ref: 'main', fork: false },
    trigger: 'push',
    interactive: false,
  },
  'tokens.mint': { source: 'test', environment: 'development', deploymentId: 'dpl_x', audience: 'x' },
  'deployments.create': {
    projectId: 'site',
    environment: 'preview',
    hosts: [],
    upstream: 'http://127.0.0.1:9',
    git: { ref: 'main' },
  },
  'project-domains.add': { name: 'www.shop.com', environment: 'production' },
  'connectors.create': {
    name: 'Okta',
    type: 'oidc',
    issuer: 'http://127.0.0.1:9',
    clientId: 'x',
    clientSecret: 'y',
    scopes: ['openid'],
  },
  'connectors.discover': { issuer: 'http://127.0.0.1:9' },
  'connectors.update': { name: 'Okta', clientId: 'x', clientSecret: null },
  'apps.create': {
    name: 'App',
    slug: 'app-one',
    redirectUris: [],
    scopes: ['openid'],
    tokenEndpointAuthMethods: ['none'],
    signInAccess: 'team',
  },
  'apps.update': { name: 'App' },
  'app-secrets.create': { expiresAt: 4_000_000_000_000 },
};

describe.each(databaseKinds)('odd input over REST on %s', (kind) => {
  let tessera: RunningTessera;
  let token: string;

  beforeAll(async () => {
    tessera = await startTessera(kind);
    const ada = await setUpPerson(tessera.setUpLink!, {
      email: 'ada@acme.example',
      name: 'Ada',
      password: 'correct horse battery staple 7',
    });
    token = await createApiToken(tessera.urls.origin, ada, { name: 'scripts' });
    await ask('POST', '/v1/teams', { slug: 'acme' });
    await ask('POST', '/v1/projects', { name: 'site' });
  });
  afterAll(() => tessera.close());

  function ask(method: string, path: string, body?: unknown) {
    return send(`${tessera.urls.api}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  /** The calls that were answered by 5xx: there must be none. */
  async function failures(
    calls: readonly [method: string, path: string, body?: unknown][],
  ): Promise<string[]> {
    const failed: string[] = [];
    const rest = [...calls];
    while (rest.length > 0) {
      const batch = rest.splice(0, 25);
      const answers = await Promise.all(batch.map((call) => ask(...call)));
      for (const [index, { status }] of answers.entries()) {
        if (status >= 500) failed.push(`${JSON.stringify(batch[index])?.slice(0, 200)} → ${status}`);
      }
    }
    return failed;
  }

  test('in the body is never our failure', async () => {
    const calls = all.flatMap(({ name, method, path }) => {
      const body = bodies[name];
      if (body === undefined) return [];
      const real = `${path.replace('{idOrName}', 'site').replace('{id}', path.includes('/teams/') ? 'acme' : 'x_1')}?slug=acme`;
      const replaced = Object.keys(body).flatMap((field) =>
        odd.map((value) => ({ ...body, [field]: value })),
      );
      return [...odd, ...replaced].map((sent): [string, string, unknown] => [method, real, sent]);
    });
    expect(calls.length).toBeGreaterThan(800);
    expect(await failures(calls)).toEqual([]);
  });

  test('in the path and the query is never our failure', async () => {
    const calls = all.flatMap(({ method, path, query }): [string, string, unknown?][] => {
      const body = method === 'GET' || method === 'DELETE' ? undefined : {};
      const inPath = path.includes('{')
        ? oddNames.map((odd) => `${path.replace(/\{\w+\}/, odd)}?slug=acme&reference=x&secretId=x`)
        : [];
      const inQuery = Object.keys(query?.shape ?? {}).flatMap((name) =>
        oddNames.map((odd) => `${path.replace(/\{\w+\}/, 'acme')}?${name}=${odd}`),
      );
      return [...inPath, ...inQuery].map((real) => [method, real, body]);
    });
    expect(await failures(calls)).toEqual([]);
  });
});
