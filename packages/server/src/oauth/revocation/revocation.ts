import { clientAssertionAlgorithms, tokenEndpointAuthMethods } from '@tessera/protocol';
import type { AuthenticateClient } from '#clients';
import { oauthError } from '#errors';
import type { DirectAnswer, DirectCall } from '#http';
import type { Tokens } from '#tokens';
import type { Endpoint } from '../endpoint.ts';
import { readEndpointForm } from '../token/token.ts';

/**
 * RFC 7009. A token's prefix tells its kind, so `token_type_hint` is not needed. An unknown token is 200; a store
 * that failed is 503, never 200.
 */
export function createRevocation(needs: {
  api: string;
  authenticate: AuthenticateClient;
  tokens: Pick<Tokens, 'revoke'>;
}): Endpoint {
  async function answer(call: DirectCall): Promise<DirectAnswer> {
    const form = await readEndpointForm(call);
    const client = await needs.authenticate({
      authorization: call.header('authorization'),
      form,
      clientAddress: call.clientAddress,
    });
    const token = form.get('token');
    if (token === undefined) throw oauthError('invalid_request', "Parameter 'token'. Required");
    const outcome = await needs.tokens.revoke(token, client.id, {
      teamId: client.teamId,
      reference: call.reference,
    });
    if (outcome === 'foreign') {
      throw oauthError('invalid_request', "Parameter 'token'. It was issued to another client");
    }
    return { status: 200 };
  }

  return {
    metadata: {
      revocation_endpoint: `${needs.api}/login/oauth/token/revoke`,
      revocation_endpoint_auth_methods_supported: tokenEndpointAuthMethods,
      revocation_endpoint_auth_signing_alg_values_supported: clientAssertionAlgorithms,
    },
    routes: [{ path: '/login/oauth/token/revoke', methods: { POST: answer }, forAnyOrigin: true }],
  };
}
