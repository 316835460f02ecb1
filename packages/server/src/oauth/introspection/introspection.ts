import { clientAssertionAlgorithms, formatScope, tokenEndpointAuthMethods } from '@tessera/protocol';
import { isPublicApp, type App, type Apps } from '#apps';
import type { AuthenticateClient } from '#clients';
import type { Database } from '#database';
import { oauthError } from '#errors';
import { jsonAnswer, type DirectAnswer, type DirectCall } from '#http';
import { networkOf, type Limits } from '#limits';
import type { AccessToken, Tokens } from '#tokens';
import type { Endpoint } from '../endpoint.ts';
import { readEndpointForm } from '../token/token.ts';

export type IntrospectionNeeds = {
  api: string;
  issuer: string;
  authenticate: AuthenticateClient;
  tokens: Pick<Tokens, 'findAccessToken' | 'findRefreshToken'>;
  apps: Pick<Apps, 'findRemembered'>;
  findUser: (id: string) => Promise<{ disabledAt: number | undefined } | undefined>;
  findLiveWorkload: FindLiveWorkload;
  database: Pick<Database, 'tryWrite'>;
  limits: Pick<Limits, 'count' | 'deleteEnded'>;
  /** Whether whoever presents an access token alone is answered. */
  openIntrospection: boolean;
};

/** What is said of a token that a workload has and that is in force; undefined for anything else. */
export type FindLiveWorkload = (token: string) => Promise<Readonly<Record<string, unknown>> | undefined>;

const windowMilliseconds = 60_000;
/** Questions a minute that a network may ask without saying who it is. */
const mostOfNetwork = 120;

/**
 * RFC 7662: whether a token is in force, for the client that it was issued to, for the resource server that it is for,
 * and of a workload for every app of its team. Anything else is one answer.
 */
export function createIntrospection(needs: IntrospectionNeeds): Endpoint {
  const { api, issuer, authenticate, tokens, apps, limits } = needs;

  async function isEnabled(userId: string): Promise<boolean> {
    const person = await needs.findUser(userId);
    return person !== undefined && person.disabledAt === undefined;
  }

  /** An app of the same team that is one of the servers which the token is for. */
  async function isResourceServer(asking: App, access: AccessToken): Promise<boolean> {
    if (!asking.protectedResources.some((resource) => access.resources.includes(resource))) return false;
    return (await apps.findRemembered(access.clientId))?.teamId === asking.teamId;
  }

  /** Undefined for `asking`: somebody who has the token, and said no more. */
  async function introspect(token: string, asking: App | undefined): Promise<Record<string, unknown>> {
    const access = await tokens.findAccessToken(token);
    // Disabling an account ends its tokens; one that was being made in that moment counts as little.
    if (access?.userId !== undefined && !(await isEnabled(access.userId))) return { active: false };
    if (
      access !== undefined &&
      (asking === undefined || access.clientId === asking.id || (await isResourceServer(asking, access)))
    ) {
      return {
        active: true,
        client_id: access.clientId,
        token_type: access.dpopJkt === undefined ? 'Bearer' : 'DPoP',
        ...(access.dpopJkt === undefined ? {} : { cnf: { jkt: access.dpopJkt } }),
        exp: seconds(access.expiresAt),
        iat: seconds(access.createdAt),
        sub: access.userId ?? access.clientId,
        iss: issuer,
        jti: access.jti,
        ...(access.sid === undefined ? {} : { session_id: access.sid }),
        scope: formatScope(access.scopes),
        aud: access.resources.length === 0 ? api : access.resources,
      };
    }
    // A refresh token is its client's own: it is presented to nobody else.
    if (asking === undefined) return { active: false };
    const workload = await needs.findLiveWorkload(token);
    // Whoever stands outside the team learns nothing, not even that it is one.
    if (workload !== undefined) {
      return workload['owner_id'] === asking.teamId
        ? { active: true, ...workload, token_type: 'Bearer' }
        : { active: false };
    }
    const clientId = asking.id;
    const refresh = await tokens.findRefreshToken(token);
    if (refresh?.state === 'live' && refresh.ended === undefined && refresh.family.clientId === clientId) {
      return {
        active: true,
        client_id: clientId,
        token_type: 'refresh_token',
        exp: seconds(refresh.expiresAt),
        iat: seconds(refresh.createdAt),
        sub: refresh.family.userId,
        iss: issuer,
        jti: refresh.id,
        session_id: refresh.family.sid,
        scope: formatScope(refresh.family.scopes),
        aud: issuer,
        ...(refresh.family.dpopJkt === undefined ? {} : { cnf: { jkt: refresh.family.dpopJkt } }),
      };
    }
    return { active: false };
  }

  /** Who asks; undefined when the request holds nothing but the token, and that is enough here. */
  async function readAsking(call: DirectCall, form: ReadonlyMap<string, string>): Promise<App | undefined> {
    const authorization = call.header('authorization');
    const { clientAddress } = call;
    const isAnonymous =
      authorization === undefined && !form.has('client_id') && !form.has('client_assertion');
    if (isAnonymous && needs.openIntrospection) {
      await countQuestion(clientAddress);
      return undefined;
    }
    const client = await authenticate({ authorization, form, clientAddress });
    // A public client's id is known to all: it authenticates nobody (RFC 7662, 2.1).
    if (
      isPublicApp(client) &&
      !form.has('client_secret') &&
      !form.has('client_assertion') &&
      authorization === undefined
    ) {
      throw oauthError('invalid_client', 'Introspection needs a client that authenticates itself');
    }
    return client;
  }

  async function countQuestion(clientAddress: string): Promise<void> {
    const counted = await needs.database.tryWrite([
      limits.count('introspection', networkOf(clientAddress), mostOfNetwork, windowMilliseconds),
      limits.deleteEnded(),
    ]);
    if (counted.committed) return;
    throw oauthError(
      'temporarily_unavailable',
      'Too many questions without a client came from this network',
      {
        status: 429,
        headers: { 'retry-after': String(windowMilliseconds / 1000) },
      },
    );
  }

  async function answer(call: DirectCall): Promise<DirectAnswer> {
    const form = await readEndpointForm(call);
    const asking = await readAsking(call, form);
    const token = form.get('token');
    if (token === undefined) throw oauthError('invalid_request', "Parameter 'token'. Required");
    return jsonAnswer(await introspect(token, asking));
  }

  return {
    metadata: {
      introspection_endpoint: `${api}/login/oauth/token/introspect`,
      introspection_endpoint_auth_methods_supported: tokenEndpointAuthMethods.filter(
        (one) => one !== 'none' || needs.openIntrospection,
      ),
      introspection_endpoint_auth_signing_alg_values_supported: clientAssertionAlgorithms,
    },
    routes: [{ path: '/login/oauth/token/introspect', methods: { POST: answer }, forAnyOrigin: false }],
  };
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
