import { Hono } from 'hono';
import { publicError } from '#errors';
import type { Logger } from '#logger';
import { handlerOf, methodsOf, type DirectRoute, type FoundRoute } from './direct.ts';
import type { Door, DoorEnv, ErrorAnswer } from './door.ts';
import { answerOf } from './error-answers.ts';

/** The doors of one base URL, and how an unknown path below it is answered. */
export type Mount = {
  readonly base: string;
  readonly doors: readonly Door[];
  readonly direct?: readonly DirectRoute[];
  readonly errors: ErrorAnswer;
};

/** What answers at one of our own hosts. */
export type Application = {
  fetch: Hono<DoorEnv>['fetch'];
  /** The direct route of a path, and what it does at this method; undefined where the doors answer. */
  findDirect(path: string, method: string): FoundRoute | undefined;
  /** What every answer says, unless it says otherwise itself. */
  readonly defaults: Readonly<Record<string, string>>;
  logFailure(failure: unknown, reference: string): void;
};

/**
 * Which host and path belongs to which door. Base URLs may share a host (`https://id.example.com` and
 * `https://id.example.com/api`) or have one each; the configuration alone decides, never a header.
 * `find` takes a `host[:port]` and answers undefined for a host that is not ours: the gateway's business.
 */
export function createHostTable(mounts: readonly Mount[], logger: Logger) {
  const byHost = Map.groupBy(mounts, ({ base }) => new URL(base).host);
  const applications = new Map([...byHost].map(([host, own]) => [host, createApplication(own, logger)]));
  return {
    find: (host: string): Application | undefined => applications.get(withoutDefaultPort(host.toLowerCase())),
  };
}

function createApplication(mounts: readonly Mount[], logger: Logger): Application {
  const application = new Hono<DoorEnv>({ strict: true });
  const direct = new Map(
    mounts.flatMap(({ base, direct: routes = [] }) =>
      routes.map((route) => [`${pathOf(base)}${route.path}`, route] as const),
    ),
  );
  const defaults = defaultHeaders(mounts);
  const logFailure = (failure: unknown, reference: string): void => {
    const { ours, code } = answerOf(failure);
    if (ours) logger.error('failure', { reference, code, ...describeFailure(failure) });
  };
  application.use(async (context, next) => {
    context.set('reference', context.env.facts.reference);
    context.set('clientAddress', context.env.facts.clientAddress);
    // On Node's answer, where what a door says replaces them: set on a finished web response, they cost as much as
    // all the rest of this layer.
    for (const [name, value] of Object.entries(defaults)) context.env.outgoing?.setHeader(name, value);
    await next();
    const failure = context.get('failure');
    if (failure !== undefined) logFailure(failure, context.env.facts.reference);
  });
  // The deeper path first, so that an unknown path below `/api` is answered as the API answers.
  const byDepth = mounts.toSorted((one, other) => pathOf(other.base).length - pathOf(one.base).length);
  for (const { base, doors } of byDepth) for (const door of doors) application.route(pathOf(base), door);

  application.notFound((context) => {
    const { path, method } = context.req;
    const mount = byDepth.find(({ base }) => path === pathOf(base) || path.startsWith(`${pathOf(base)}/`));
    const route = direct.get(path);
    const allowed = route === undefined ? methodsAt(application, path) : methodsOf(route);
    const error =
      allowed.length === 0
        ? publicError('not_found', { description: `There is nothing at ${path}.` })
        : publicError('method_not_allowed', {
            description: `The method ${method} is not available at ${path}.`,
            headers: { allow: allowed.join(', ') },
          });
    return mount === undefined ? context.body(null, 404) : mount.errors(error, context);
  });
  return {
    fetch: application.fetch,
    findDirect(path, method) {
      const route = direct.get(path);
      const handler = route && handlerOf(route, method);
      return handler && { route, handler };
    },
    defaults,
    logFailure,
  };
}

function defaultHeaders(mounts: readonly Mount[]): Readonly<Record<string, string>> {
  const secure = mounts[0]?.base.startsWith('https:') === true;
  return {
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
    ...(secure ? { 'strict-transport-security': 'max-age=31536000' } : {}),
  };
}

function methodsAt(application: Hono<DoorEnv>, path: string): string[] {
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((method) =>
    application.router.match(method, path)[0].some(([[, route]]) => route.method === method),
  );
  return methods.includes('GET') ? ['HEAD', ...methods] : methods;
}

function pathOf(base: string): string {
  return new URL(base).pathname.replace(/\/$/, '');
}

/** `URL` drops the default port of its scheme; a client may send it. */
function withoutDefaultPort(host: string): string {
  if (host.endsWith(':80')) return host.slice(0, -3);
  return host.endsWith(':443') ? host.slice(0, -4) : host;
}

/** What an operator needs of a failure. Its other members stay out: a database puts values of rows into them. */
function describeFailure(failure: unknown): Record<string, unknown> {
  if (!(failure instanceof Error)) return { failure: typeof failure };
  const { name, message, stack, cause } = failure;
  return { failure: name, message, stack, cause: cause instanceof Error ? cause.message : undefined };
}
