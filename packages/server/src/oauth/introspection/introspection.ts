import { clientAssertionAlgorithms, formatScope, tokenEndpointAuthMethods } from '@tessera/protocol';
import { isPublicApp } from '#apps';
import type { AuthenticateClient } from '#clients';
import { oauthError } from '#errors';
import type { Door, DoorContext } from '#http';
import type { Tokens } from '#tokens';
import type { Endpoint } from '../endpoint.ts';
import { readEndpointForm } from '../token/token.ts';

export type IntrospectionNeeds = {
  api: string;
  issuer: string;
  authenticate: AuthenticateClient;
  tokens: Pick<Tokens, 'findAccessToken' | 'findRefreshToken'>;
};

/** RFC 7662: whether a token is in force, for the client that it was issued to. Anything else is one answer. */
export function createIntrospection({ api, issuer, authenticate, tokens }: IntrospectionNeeds): Endpoint {
  async function introspect(token: string, clientId: string): Promise<Record<string, unknown>> {
    const access = await tokens.findAccessToken(token);
    if (access !== undefined && access.clientId === clientId) {
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

  async function answer(context: DoorContext): Promise<Response> {
    const form = await readEndpointForm(context);
    const client = await authenticate({
      authorization: context.req.header('authorization'),
      form,
      clientAddress: context.get('clientAddress'),
    });
    // A public client's id is known to all: it authenticates nobody (RFC 7662, 2.1).
    if (
      isPublicApp(client) &&
      !form.has('client_secret') &&
      !form.has('client_assertion') &&
      context.req.header('authorization') === undefined
    ) {
      throw oauthError('invalid_client', 'Introspection needs a client that authenticates itself');
    }
    const token = form.get('token');
    if (token === undefined) throw oauthError('invalid_request', "Parameter 'token'. Required");
    return context.json(await introspect(token, client.id), 200, { 'cache-control': 'no-store' });
  }

  return {
    metadata: {
      introspection_endpoint: `${api}/login/oauth/token/introspect`,
      introspection_endpoint_auth_methods_supported: tokenEndpointAuthMethods.filter((one) => one !== 'none'),
      introspection_endpoint_auth_signing_alg_values_supported: clientAssertionAlgorithms,
    },
    mount(door: Door) {
      door.post('/login/oauth/token/introspect', answer);
    },
  };
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
