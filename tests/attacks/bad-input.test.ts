import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { routes } from '../../packages/contract/src/index.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { send, type Answer } from '../harness/send.ts';
import { createApp, type ConfidentialApp } from '../harness/sign-in-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { oddForm, oddHeaders, oddJson, oddText } from './malformed.ts';
import { createRandom, type Random } from './random.ts';

/** What an answer of this part of the house looks like when it refuses. */
type Shape = 'oauth' | 'problem' | 'page' | 'gateway' | 'document';
type Target = {
  base: string;
  path: string;
  method: string;
  shape: Shape;
  fields: readonly string[];
  body: 'form' | 'json';
};

const requests = process.env['TESSERA_TEST_LONG'] === undefined ? 4_000 : 60_000;
const atOnce = 25;
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'PROPFIND'];
const slowMs = 5_000;

describe.each(databaseKinds)('bad input on %s', (kind) => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let app: ConfidentialApp;
  let targets: Target[];
  let real: Real;

  beforeAll(async () => {
    tessera = await startTessera(kind);
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    app = await createApp(world.call, world.team.id);
    real = {
      apiToken: world.apiToken,
      basic: Buffer.from(`${app.clientId}:${app.clientSecret}`).toString('base64'),
      cookie: (url) => world.admin.visitor.cookies.header(url),
      ids: {
        projects: world.deployment.projectId,
        deployments: world.deployment.id,
        connectors: world.connectorId,
        apps: app.clientId,
        teams: world.team.id,
      },
    };
    targets = listTargets(tessera, world);
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  test(
    `${requests} malformed requests over all routes: never a 5xx, each refusal in its own shape`,
    { timeout: 600_000 },
    async () => {
      const random = createRandom();
      const faults: string[] = [];
      const statuses = new Set<number>();
      for (let sent = 0; sent < requests && faults.length === 0; sent += atOnce) {
        await Promise.all(
          Array.from({ length: atOnce }, async () => {
            const target = random.pick(targets);
            const request = malform(random, target, real);
            const began = performance.now();
            const answer = await send(request.url, { ...request, timeoutMilliseconds: 2 * slowMs });
            statuses.add(answer.status);
            const fault = findFault(answer, target, request.method, performance.now() - began);
            if (fault !== undefined) {
              faults.push(`${fault}\n  seed ${random.seed}: ${JSON.stringify(request).slice(0, 1_500)}`);
            }
          }),
        );
      }
      expect(faults).toEqual([]);
      // A sweep that never gets past the first check would prove little.
      expect([...statuses]).toEqual(expect.arrayContaining([200, 303, 400, 401, 404, 405, 413, 415]));
      // Nothing was lost, and nothing was let in.
      const { projects } = await world.call('projects.list', { query: { teamId: world.team.id } });
      expect(projects.map(({ id }) => id)).toContain(world.deployment.projectId);
      expect((await send(`${tessera.urls.origin}/.well-known/jwks`)).status).toBe(200);
    },
  );
});

function listTargets(tessera: RunningTessera, world: PassportWorld): Target[] {
  const { origin, api, oidc, passport, connect } = tessera.urls;
  const form = (base: string, path: string, fields: string, shape: Shape): Target => ({
    base,
    path,
    method: 'POST',
    shape,
    fields: fields.split(' '),
    body: 'form',
  });
  const get = (base: string, path: string, fields: string, shape: Shape): Target => ({
    ...form(base, path, fields, shape),
    method: 'GET',
  });
  const rest = routes.map((route): Target => ({
    base: api,
    path: route.path,
    method: route.method,
    shape: 'problem',
    fields: 'body' in route && 'shape' in route.body ? Object.keys(route.body.shape as object) : [],
    body: 'json',
  }));
  const authorize =
    'client_id redirect_uri response_type scope state nonce code_challenge code_challenge_method prompt max_age response_mode request request_uri resource';
  return [
    ...rest,
    form(
      api,
      '/login/oauth/token',
      'grant_type code redirect_uri code_verifier refresh_token scope client_id client_secret',
      'oauth',
    ),
    form(api, '/login/oauth/token', 'grant_type code refresh_token', 'oauth'),
    form(api, '/login/oauth/token/revoke', 'token token_type_hint client_id client_secret', 'oauth'),
    form(api, '/login/oauth/token/introspect', 'token client_id client_secret', 'oauth'),
    get(api, '/login/oauth/userinfo', 'access_token', 'oauth'),
    get(origin, '/oauth/authorize', authorize, 'page'),
    form(origin, '/oauth/authorize', authorize, 'page'),
    get(origin, `/oauth/authorize/{id}`, 'x', 'page'),
    get(origin, '/login', 'request return', 'page'),
    form(origin, '/login', 'email password request return csrf', 'page'),
    get(origin, '/oauth/consent', 'request', 'page'),
    form(origin, '/oauth/consent', 'request decision csrf', 'page'),
    get(origin, '/account', 'x', 'page'),
    get(origin, '/account/tokens/new', 'team', 'page'),
    form(origin, '/account/tokens/new', 'name team csrf', 'page'),
    form(origin, '/account/sign-out', 'csrf', 'page'),
    get(origin, '/setup', 'token', 'page'),
    form(origin, '/setup', 'token email name password csrf', 'page'),
    get(origin, '/{id}', 'x', 'page'),
    get(origin, '/.well-known/openid-configuration', 'x', 'document'),
    get(origin, '/.well-known/jwks', 'x', 'document'),
    get(oidc, '/.well-known/jwks', 'x', 'document'),
    get(oidc, '/{id}/.well-known/openid-configuration', 'x', 'document'),
    get(oidc, '/{id}/.well-known/jwks', 'x', 'document'),
    get(passport, '/{id}/.well-known/jwks', 'x', 'document'),
    get(connect, '/start', 'code', 'page'),
    get(connect, '/callback', 'code state iss error error_description', 'page'),
    form(connect, '/callback', 'code state iss', 'page'),
    get(world.deployment.url, '/{id}', '_vercel_share x-vercel-protection-bypass', 'gateway'),
    form(world.deployment.url, '/', 'x', 'gateway'),
    get(world.deployment.url, '/.well-known/vercel/passport/finish', 'code', 'gateway'),
    get(world.deployment.url, '/.well-known/vercel/passport/sign-out', 'x', 'gateway'),
    get(`http://nobody.app.localhost:${tessera.environment.port}`, '/{id}', 'x', 'gateway'),
    get(`http://unknown.localhost:${tessera.environment.port}`, '/', 'x', 'gateway'),
    get(`http://127.0.0.1:${tessera.environment.port}`, '/', 'x', 'gateway'),
  ];
}

/** What is right: a request that is wrong in one place only gets further. */
type Real = {
  apiToken: string;
  basic: string;
  cookie(url: URL): string | undefined;
  ids: Readonly<Record<string, string>>;
};

function malform(
  random: Random,
  target: Target,
  real: Real,
): { url: string; method: string; headers: string[]; body?: string | Uint8Array } {
  const method = random.once(8) ? random.pick(methods) : target.method;
  const id = real.ids[target.path.split('/')[2] ?? ''];
  const segment = (): string =>
    id !== undefined && method !== 'DELETE' && random.once(2)
      ? id
      : encodeURIComponent(oddText(random).toWellFormed().slice(0, 400)) || 'x';
  const path = target.path.replaceAll(/\{\w+\}/g, segment);
  const query = random.once(3) || method === 'GET' ? `?${randomQuery(random, target)}` : '';
  const headers = oddHeaders(random, real.apiToken, [
    'tessera_session',
    'tessera_browser',
    '_vercel_passport',
    'x',
  ]);
  const cookie = real.cookie(new URL(target.base));
  if (target.shape === 'page' && cookie !== undefined && random.once(2)) headers.push('Cookie', cookie);
  if (method === 'GET' || method === 'HEAD') return { url: `${target.base}${path}${query}`, method, headers };
  const isJson = (target.body === 'json') !== random.once(10);
  const body = isJson ? oddJson(random, target.fields) : oddForm(random, target.fields);
  const type = random.once(10)
    ? random.pick(['text/plain', 'multipart/form-data; boundary=x', 'application/xml', 'x', ''])
    : isJson
      ? random.pick(['application/json', 'application/json; charset=utf-8'])
      : 'application/x-www-form-urlencoded';
  if (type !== '') headers.push('Content-Type', type);
  if (target.shape === 'oauth' && random.once(2)) {
    const at = headers.indexOf('Authorization');
    if (at >= 0) headers.splice(at, 2);
    headers.push('Authorization', `Basic ${real.basic}`);
  }
  return { url: `${target.base}${path}${query}`, method, headers, body };
}

function randomQuery(random: Random, { fields }: Target): string {
  const text = oddForm(random, fields);
  // What cannot stand in an address never gets as far as the server.
  return typeof text === 'string' ? text.slice(0, 7_000).replaceAll(/[^\x21-\x7e]/g, '') : 'x=%ff%fe';
}

/** What is wrong with an answer, in words; undefined when it is as it should be. */
function findFault(
  answer: Answer,
  { shape, path }: Target,
  method: string,
  took: number,
): string | undefined {
  const at = `${method} ${path} answered ${answer.status}`;
  if (answer.status >= 500) return `${at}: ${answer.text.slice(0, 500)}`;
  if (took > slowMs) return `${at} after ${Math.round(took)} ms`;
  if (/\.[mc]?[jt]s:\d+|\bnode:\w+:\d+/.test(answer.text))
    return `${at} with a stack: ${answer.text.slice(0, 300)}`;
  if (answer.headers['x-vercel-id'] === undefined && answer.status !== 431 && answer.status !== 400) {
    return `${at} without a reference`;
  }
  if (answer.status < 400 || method === 'HEAD' || method === 'OPTIONS') return undefined;
  const type = answer.headers['content-type'] ?? '';
  const isJson = /^application\/(problem\+)?json/.test(type);
  const document = isJson ? (answer.json() as Record<string, unknown>) : {};
  const isProblem = typeof document['code'] === 'string' && typeof document['reference'] === 'string';
  switch (shape) {
    case 'problem':
      return isProblem && type.startsWith('application/problem+json')
        ? undefined
        : `${at} as ${type}: ${answer.text.slice(0, 300)}`;
    case 'oauth':
      // A method that the endpoint does not have is not a request of OAuth.
      return typeof document['error'] === 'string' || (answer.status === 405 && isProblem)
        ? undefined
        : `${at} as ${type}: ${answer.text.slice(0, 300)}`;
    case 'page':
    case 'document':
    case 'gateway':
      if (isJson) {
        return document['error'] !== undefined || isProblem
          ? undefined
          : `${at} as ${type}: ${answer.text.slice(0, 300)}`;
      }
      return type.startsWith('text/html') &&
        /id="(error-code|login|set-up|consent|create-api-token)"/.test(answer.text)
        ? undefined
        : `${at} as ${type}: ${answer.text.slice(0, 500)}`;
    default:
      return shape satisfies never;
  }
}
