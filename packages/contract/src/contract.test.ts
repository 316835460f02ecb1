import type { ZodType } from 'zod';
import { expect, expectTypeOf, test } from 'vitest';
import {
  createClient,
  createProjectBody,
  formatCursor,
  openApiDocument,
  parseCursor,
  permissionsOf,
  permissionTable,
  ProblemError,
  routes,
  updateProjectBody,
  type CallAnswer,
  type Route,
} from './index.ts';

const all: readonly Route[] = routes;

test('every route has a name, an address and permissions of the table', () => {
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  expect(new Set(all.map(({ method, path }) => `${method} ${path}`)).size).toBe(all.length);
  for (const route of all) {
    for (const permission of permissionsOf(route)) expect(permissionTable).toHaveProperty([permission]);
    expect([route.name, route.team === 'none' || permissionsOf(route).length > 0]).toEqual([
      route.name,
      true,
    ]);
    expect([route.name, route.answer === undefined]).toEqual([route.name, route.status === 204]);
  }
});

test('the parameters of every path are the members of its params', () => {
  for (const route of all) {
    const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    expect([route.name, ...Object.keys(route.params?.shape ?? {})]).toEqual([route.name, ...names]);
  }
});

test('every field of a body with a permission of each field has one', () => {
  for (const { permission, body, name } of all) {
    if (typeof permission === 'string' || !('byField' in permission)) continue;
    const fields = Object.keys((body as { shape?: object }).shape ?? {});
    expect([name, ...Object.keys(permission.byField).toSorted()]).toEqual([name, ...fields.toSorted()]);
  }
});

test('what is changed by one permission is read by its own, and left out without it', () => {
  const update = all.find(({ name }) => name === 'projects.update');
  const byField: Record<string, string> =
    typeof update?.permission === 'object' && 'byField' in update.permission ? update.permission.byField : {};
  expect(Object.keys(byField)).not.toEqual([]);
  const others = Object.entries(byField).filter(([, permission]) => permission !== 'project:write');
  expect(update?.reads).toEqual(
    Object.fromEntries(others.map(([field, permission]) => [field, permission.replace(':write', ':read')])),
  );
  for (const route of all) {
    for (const [field, permission] of Object.entries(route.reads ?? {})) {
      expect(permissionTable).toHaveProperty([permission]);
      const { shape = {} } = route.answer as { shape?: Record<string, { element?: { shape?: object } }> };
      const places = [shape, ...Object.values(shape).map(({ element }) => element?.shape ?? {})];
      const schema = places.map((each) => (each as Record<string, ZodType>)[field]).find(Boolean);
      expect([route.name, field, schema?.safeParse(undefined).success]).toEqual([route.name, field, true]);
    }
  }
});

test('unknown fields are refused, and __proto__ is one', () => {
  expect(createProjectBody.safeParse({ name: 'site', admin: true }).success).toBe(false);
  expect(createProjectBody.safeParse(JSON.parse('{"name":"site","__proto__":{"admin":true}}')).success).toBe(
    false,
  );
  expect(createProjectBody.safeParse({ name: 'site', constructor: 1 }).success).toBe(false);
});

test('the older name of a deployment type is read as the newer', () => {
  const passport = { connectorId: 'scl_x', deploymentType: 'prod_deployment_urls_and_all_previews' };
  expect(updateProjectBody.parse({ passport }).passport).toEqual({
    connectorId: 'scl_x',
    deploymentType: 'all_except_custom_domains',
  });
});

test('the document is OpenAPI 3.1 and describes every route', () => {
  const document = openApiDocument({ api: 'http://localhost:4000/api', version: '0.1.0' });
  expect(document['openapi']).toBe('3.1.0');
  const paths = document['paths'] as Record<string, Record<string, unknown>>;
  for (const { path, method } of all) expect(paths[path]).toHaveProperty(method.toLowerCase());
  expect(() => JSON.stringify(document)).not.toThrow();
});

test('a cursor comes back as it went, and rubbish is none', () => {
  const cursor = { createdAt: 1_700_000_000_000, id: 'prj_abc' };
  expect(parseCursor(formatCursor(cursor))).toEqual(cursor);
  for (const text of ['', 'x', '1', "1.' or 1=1"]) expect(parseCursor(text)).toBeUndefined();
});

test('the client fills in the path, sends the bearer, and throws the problem', async () => {
  const seen: Request[] = [];
  const call = createClient({
    baseUrl: 'http://localhost:4000/api',
    token: 'secret',
    fetch: async (input, init) => {
      seen.push(new Request(input, init));
      const problem = {
        type: 't',
        title: 't',
        status: 404,
        detail: 'd',
        code: 'not_found',
        mend: 'm',
        reference: 'r',
      };
      return seen.length === 1 ? Response.json({ token: 'jwt' }) : Response.json(problem, { status: 404 });
    },
  });
  const { token } = await call('tokens.mint', {
    params: { idOrName: 'my site' },
    query: { slug: 'acme' },
    body: {},
  });
  expect(token).toBe('jwt');
  expect(seen[0]?.url).toBe('http://localhost:4000/api/v1/projects/my%20site/token?slug=acme');
  expect(seen[0]?.headers.get('authorization')).toBe('Bearer secret');
  await expect(call('users.get')).rejects.toThrow(ProblemError);
  expectTypeOf<CallAnswer<'tokens.mint'>>().toEqualTypeOf<{ token: string }>();
});
