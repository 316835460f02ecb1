import { z, type ZodType } from 'zod';
import { permissionTable, rolesThatMay } from './permissions.ts';
import { problemSchema } from './problem.ts';
import { permissionsOf, type Route } from './route.ts';
import { routes } from './routes.ts';

type Json = { [member: string]: unknown };

/**
 * The OpenAPI 3.1 document of the REST API, made from the schemas that validate.
 * `api` is the base URL of the api role; it comes from the configuration, never from a request.
 */
export function openApiDocument({ api, version }: { api: string; version: string }): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const item = (paths[route.path] ??= {});
    item[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tessera',
      version,
      description: 'Sign-in, Passport and federation of a deployment platform.',
    },
    servers: [{ url: api }],
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: schemaOf(problemSchema, 'output') },
      responses: {
        Problem: {
          description: 'A problem document (RFC 9457)',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    },
  };
}

function operationOf(route: Route): Json {
  const noun = route.name.split('.')[0];
  return {
    operationId: route.name,
    tags: [noun],
    summary: route.summary,
    description: permissionWords(route),
    ...(route.permission === 'none' ? { security: [] } : {}),
    parameters: [...parametersOf(route.params, 'path'), ...parametersOf(route.query, 'query')],
    ...(route.upload === undefined ? {} : { requestBody: uploadOf(route.upload) }),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: route.bodyOptional !== true,
            content: { 'application/json': { schema: schemaOf(route.body, 'input') } },
          },
        }),
    responses: {
      [route.status]: {
        description: route.status === 204 ? 'Done' : 'The answer',
        ...(route.answer === undefined
          ? {}
          : { content: { 'application/json': { schema: schemaOf(route.answer, 'output') } } }),
      },
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

function uploadOf({ types, maximumBytes }: NonNullable<Route['upload']>): Json {
  return {
    required: true,
    description: `At most ${maximumBytes} bytes`,
    content: Object.fromEntries(types.map((type) => [type, {}])),
  };
}

function permissionWords(route: Route): string {
  const rows = permissionsOf(route).map((permission) => {
    const roles = rolesThatMay(permission);
    const fresh = roles.some((role) => permissionTable[permission][role] === 'fresh') || route.fresh === true;
    const who = roles.length === 0 ? 'given by an owner alone' : roles.join(', ');
    return `\`${permission}\` (${who}${fresh ? '; with a fresh authentication' : ''})`;
  });
  return rows.length === 0 ? 'Open to everyone.' : `Needs ${rows.join(' or ')}.`;
}

function parametersOf(schema: ZodType | undefined, place: 'path' | 'query'): Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
  }));
}

function schemaOf(schema: ZodType, io: 'input' | 'output'): Json {
  // What a transform makes of its input is told by the answer's own schema, so nothing here is unrepresentable.
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, target: 'draft-2020-12' });
  return rest;
}
