import {
  clientAssertionAlgorithms,
  dpopSigningAlgorithms,
  isGrantType,
  tokenEndpointAuthMethods,
  type GrantType,
} from '@tessera/protocol';
import { grantTypesOf } from '#apps';
import type { AuthenticateClient } from '#clients';
import { oauthError } from '#errors';
import { jsonAnswer, readForm, type DirectAnswer, type DirectCall } from '#http';
import type { Endpoint } from '../endpoint.ts';
import type { ReadProof } from '../proof.ts';
import { repeatableParameters } from '../resources.ts';
import { tokenAnswer, type Grant, type OpenGrant } from './grant.ts';

export type TokenNeeds = {
  api: string;
  authenticate: AuthenticateClient;
  readProof: ReadProof;
  grants: readonly Grant[];
  openGrants: readonly OpenGrant[];
};

const uncached = { 'cache-control': 'no-store', pragma: 'no-cache' };

/** The token endpoint (RFC 6749, 3.2): parse, authenticate the client, authorize, issue, answer; for every grant. */
export function createTokenEndpoint(needs: TokenNeeds): Endpoint {
  const { api, authenticate, readProof, grants, openGrants } = needs;
  const url = `${api}/login/oauth/token`;
  const byType = new Map<GrantType, Grant>(grants.map((grant) => [grant.grantType, grant]));

  /** Who is named without being asked for a proof is nobody; a proof that is there has to be right. */
  async function answerOpenly(
    grant: OpenGrant,
    call: DirectCall,
    form: ReadonlyMap<string, string>,
  ): Promise<DirectAnswer> {
    const authorization = call.header('authorization');
    const { clientAddress } = call;
    if (authorization !== undefined || form.has('client_secret') || form.has('client_assertion')) {
      await authenticate({ authorization, form, clientAddress });
    }
    const answered = await grant.answer({ form, reference: call.reference, clientAddress });
    return jsonAnswer(answered, 200, uncached);
  }

  async function answer(call: DirectCall): Promise<DirectAnswer> {
    const form = await readEndpointForm(call);
    const grantType = form.get('grant_type');
    if (grantType === undefined) throw oauthError('invalid_request', "Parameter 'grant_type'. Required");
    const openGrant = openGrants.find((one) => one.grantType === grantType);
    if (openGrant !== undefined) return answerOpenly(openGrant, call, form);
    const grant = isGrantType(grantType) ? byType.get(grantType) : undefined;
    if (grant === undefined) {
      const known = [...byType.keys(), ...openGrants.map((one) => one.grantType)]
        .map((name) => `'${name}'`)
        .join(' | ');
      throw oauthError(
        'unsupported_grant_type',
        `Parameter 'grant_type'. Invalid enum value. Expected ${known}, received '${grantType.slice(0, 100)}'`,
      );
    }
    const client = await authenticate({
      authorization: call.header('authorization'),
      form,
      clientAddress: call.clientAddress,
    });
    if (!grantTypesOf(client).includes(grant.grantType)) {
      throw oauthError(
        'unauthorized_client',
        `This client may not use the grant '${grant.grantType}': it has no secret to prove itself with`,
      );
    }
    const dpopJkt = await readProof(call, client, url);
    const tokens = await grant.issue({
      client,
      form,
      context: { teamId: client.teamId, reference: call.reference, form: client, dpopJkt },
    });
    return jsonAnswer(tokenAnswer(tokens), 200, uncached);
  }

  return {
    metadata: {
      token_endpoint: url,
      token_endpoint_auth_methods_supported: tokenEndpointAuthMethods,
      token_endpoint_auth_signing_alg_values_supported: clientAssertionAlgorithms,
      dpop_signing_alg_values_supported: dpopSigningAlgorithms,
      grant_types_supported: [...grants, ...openGrants].map((grant) => grant.grantType),
    },
    routes: [{ path: '/login/oauth/token', methods: { POST: answer }, forAnyOrigin: true }],
  };
}

/** The form of an endpoint that clients call: secrets in an address end in logs, so nothing is read from there. */
export async function readEndpointForm(call: DirectCall): Promise<ReadonlyMap<string, string>> {
  if (call.target.includes('?')) {
    throw oauthError(
      'invalid_request',
      'Parameters in the URL are refused. Expected all of them in the form body',
    );
  }
  return readForm(call, repeatableParameters);
}
