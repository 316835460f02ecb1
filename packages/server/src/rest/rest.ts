import { routes, type Route } from '@tessera/contract';
import type { ZodType } from 'zod';
import type { Clock } from '#clock';
import { UnitRefused } from '#database';
import { OAuthError, publicError } from '#errors';
import {
  isStorable,
  newDoor,
  readJson,
  readQuery,
  readUpload,
  type Door,
  type DoorContext,
  type RestCall,
  type RestDoor,
  parseWithSchema,
} from '#http';
import { authorize, authorizeFields, authorizeRoute, listUnread, type Standing } from './authorization.ts';
import { createCalledTeamReader, type CalledTeamNeeds } from './called-team.ts';
import { createCallerReader, type CallerNeeds } from './caller.ts';

export type RestNeeds = CallerNeeds &
  CalledTeamNeeds & {
    /** What answers each route of the contract: all of them, each once. */
    doors: readonly RestDoor[];
    clock: Clock;
  };

/**
 * The REST API: every route of the contract under one guard. The order is the same for all: who calls, for which
 * team, whether they may, what they send; only then a room is asked. Throws when a route has no answer, or two.
 */
export function createRestDoor(needs: RestNeeds): Door {
  const { clock } = needs;
  const readCaller = createCallerReader(needs);
  const readTeam = createCalledTeamReader(needs);
  const door = newDoor('problem');

  for (const { route, answer } of completeDoors(needs.doors)) {
    const path = route.path.replaceAll(/\{(\w+)\}/g, ':$1');
    door.on(route.method, path, async (context) => {
      const call = await guard(route, context);
      // Tied to the route's types by `restDoor`, which made the pair.
      return answerWith(route, await orConflict(() => answer(call as never)), call);
    });
  }
  return door;

  async function guard(route: Route, context: DoorContext): Promise<RestCall> {
    const reference = context.get('reference');
    if (route.permission === 'none') return openCall(reference);
    const authority = await readCaller(context);
    const params = parsePart(route.params, context.req.param(), 'The path');
    const query = parsePart(route.query, readParameters(context), 'The query');
    const team = await readTeam(route, authority.caller, params, query);
    // What an owner gave counts only as long as the giver is one.
    if (team?.role !== 'owner') authority.caller.builds = [];
    const standing: Standing = {
      authority,
      role: team?.role,
      isFresh: clock.now() < authority.freshUntil,
      hasFeature: () => team?.passportEnabled === true,
    };
    authorizeRoute(route, standing);
    const body = await readBody(route, context);
    if (body !== undefined) authorizeFields(route, body, standing);
    return {
      caller: authority.caller,
      team,
      params,
      query,
      body,
      reference,
      authorize: (permission, object) => authorize(permission, standing, object),
    } as RestCall;
  }
}

/** A route that nobody answers, or two do, is a mistake in the house: it does not start. */
function completeDoors(doors: readonly RestDoor[]): readonly RestDoor[] {
  const answered = doors.map(({ route }) => route.name);
  const twice = answered.find((name, index) => answered.indexOf(name) !== index);
  const missing = routes.map(({ name }) => name).filter((name) => !answered.includes(name));
  if (twice !== undefined) throw new Error(`two REST doors answer ${twice}`);
  if (missing.length > 0) throw new Error(`no REST door answers ${missing.join(', ')}`);
  return doors;
}

/** Nobody is asked who they are for what is open to everyone. */
function openCall(reference: string): RestCall {
  return { reference, params: {}, query: {} } as unknown as RestCall;
}

function readParameters(context: DoorContext): Record<string, string> {
  try {
    return Object.fromEntries(readQuery(context));
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    throw publicError('bad_request', { description: `${error.description}.`, cause: error });
  }
}

function parsePart(schema: ZodType | undefined, value: unknown, part: string): Record<string, unknown> {
  if (schema === undefined) return {};
  if (!isStorable(value)) {
    throw publicError('bad_request', {
      description: `${part} contains a NUL character or is not Unicode text.`,
    });
  }
  return parseWithSchema(schema, value, part) as Record<string, unknown>;
}

async function readBody(route: Route, context: DoorContext): Promise<unknown> {
  if (route.upload !== undefined) return readUpload(context, route.upload);
  if (route.body === undefined) return undefined;
  if (route.bodyOptional === true && isWithoutBody(context)) return route.body.parse({});
  return readJson(context, route.body);
}

/** RFC 9112 section 6.3: a request without either header has no body. */
function isWithoutBody(context: DoorContext): boolean {
  const length = context.req.header('content-length');
  return context.req.header('transfer-encoding') === undefined && (length === undefined || length === '0');
}

/** Two changes met: the later one lost, and nothing of it happened. */
async function orConflict<Answer>(answer: () => Promise<Answer>): Promise<Answer> {
  try {
    return await answer();
  } catch (error) {
    if (error instanceof UnitRefused) throw publicError('changed_meanwhile', { cause: error });
    throw error;
  }
}

function answerWith(route: Route, answer: unknown, { caller }: RestCall): Response {
  if (route.status === 204) return new Response(null, { status: 204 });
  const unread = route.permission === 'none' ? [] : listUnread(route, caller);
  return Response.json(unread.length === 0 ? answer : without(unread, answer), { status: route.status });
}

/** An answer without these fields, and so the items of its lists. */
function without(fields: readonly string[], answer: unknown): unknown {
  if (Array.isArray(answer)) return answer.map((item) => without(fields, item));
  if (typeof answer !== 'object' || answer === null) return answer;
  return Object.fromEntries(
    Object.entries(answer)
      .filter(([name]) => !fields.includes(name))
      .map(([name, value]) => [name, Array.isArray(value) ? without(fields, value) : value]),
  );
}
