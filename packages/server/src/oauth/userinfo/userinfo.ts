import { dpopSigningAlgorithms, idTokenSigningAlgorithms } from '@tessera/protocol';
import type { App, Apps } from '#apps';
import type { Dpop } from '#dpop';
import { oauthError, type OAuthError } from '#errors';
import { jsonAnswer, readForm, type DirectAnswer, type DirectCall } from '#http';
import type { Keys } from '#keys';
import { userClaims, type AccessToken, type Tokens } from '#tokens';
import type { Endpoint } from '../endpoint.ts';
import { needsNonce } from '../proof.ts';
import type { FindUser } from '../shapes.ts';

const claimsSupported = [
  'iss',
  'sub',
  'aud',
  'exp',
  'iat',
  'nbf',
  'jti',
  'nonce',
  'auth_time',
  'sid',
  'at_hash',
  'amr',
  'acr',
  'name',
  'preferred_username',
  'picture',
  'updated_at',
  'email',
  'email_verified',
];

// Of its own, so that it passes for no other JWT of ours (RFC 8725, 3.11).
const userinfoType = 'userinfo+jwt';

/** OpenID Connect Core 5.3: the claims of a person, by the scopes of an access token. */
export function createUserinfo(needs: {
  api: string;
  origin: string;
  tokens: Pick<Tokens, 'findAccessToken'>;
  apps: Pick<Apps, 'findRemembered'>;
  dpop: Pick<Dpop, 'verifySender' | 'currentNonce'>;
  keys: Pick<Keys, 'sign'>;
  findUser: FindUser;
}): Endpoint {
  const endpoint = `${needs.api}/login/oauth/userinfo`;

  async function answer(call: DirectCall): Promise<DirectAnswer> {
    const presented = await readAccessToken(call);
    const token = await needs.tokens.findAccessToken(presented.accessToken);
    if (token === undefined) throw invalidToken('The access token is unknown, expired or revoked');
    // RFC 9068, 4: a token for somebody else's server, which it could pass on, is none for us.
    if (!token.isForUs) throw invalidToken('The access token is for another resource server');
    const [client, user] = await Promise.all([
      needs.apps.findRemembered(token.clientId),
      token.userId === undefined ? undefined : needs.findUser(token.userId),
    ]);
    if (client === undefined) throw invalidToken('The app of the access token is gone');
    await verifySender(call, presented, token, client);
    if (token.userId === undefined || !token.scopes.includes('openid')) {
      throw oauthError('insufficient_scope', "The access token does not have the scope 'openid'", {
        status: 403,
        headers: { 'www-authenticate': 'Bearer realm="tessera", error="insufficient_scope", scope="openid"' },
      });
    }
    if (user === undefined || user.disabledAt !== undefined) throw invalidToken('The account is disabled');
    const claims = userClaims(user, token.scopes, needs.origin, token.claims?.userinfo);
    const algorithm = client.userinfoSignedResponseAlg;
    if (algorithm === undefined) {
      return jsonAnswer({ sub: user.id, ...claims });
    }
    const jwt = await needs.keys.sign({
      purpose: 'id-token',
      algorithm,
      type: userinfoType,
      claims: { sub: user.id, ...claims, iss: needs.origin, aud: token.clientId },
    });
    return { status: 200, headers: { 'content-type': 'application/jwt' }, body: jwt };
  }

  /** RFC 9449, 7: a token that is bound to a key comes with a proof of it. */
  async function verifySender(
    call: DirectCall,
    presented: { scheme: string; accessToken: string },
    token: AccessToken,
    client: App,
  ): Promise<void> {
    const { dpopJkt: boundTo } = token;
    if (boundTo !== undefined) call.setHeader('dpop-nonce', needs.dpop.currentNonce());
    await needs.dpop.verifySender({
      ...presented,
      boundTo,
      proof: call.header('dpop'),
      method: call.method,
      url: endpoint,
      needsNonce: needsNonce(client),
    });
  }

  return {
    metadata: {
      userinfo_endpoint: endpoint,
      userinfo_signing_alg_values_supported: idTokenSigningAlgorithms,
      claims_supported: claimsSupported,
      claims_parameter_supported: true,
    },
    routes: [{ path: '/login/oauth/userinfo', methods: { GET: answer, POST: answer }, forAnyOrigin: true }],
  };
}

/** RFC 6750, 2.1 and 2.2: in the header or, as a bearer token, in a form body; never in the address. */
async function readAccessToken(call: DirectCall): Promise<{ scheme: string; accessToken: string }> {
  const authorization = call.header('authorization');
  const isForm = call.header('content-type')?.startsWith('application/x-www-form-urlencoded') ?? false;
  const inBody = call.method === 'POST' && isForm ? (await readForm(call)).get('access_token') : undefined;
  if (authorization !== undefined && inBody !== undefined) {
    throw oauthError(
      'invalid_request',
      'The access token is sent twice. Expected the Authorization header alone',
    );
  }
  if (inBody !== undefined) return { scheme: 'Bearer', accessToken: inBody };
  const [, scheme, accessToken] = /^(bearer|dpop) +([^\s]+) *$/i.exec(authorization ?? '') ?? [];
  if (scheme === undefined || accessToken === undefined) {
    // RFC 6750, 3.1: a request that did not try to authenticate is told no error code.
    throw oauthError('invalid_token', "An access token is missing. Expected 'Authorization: Bearer …'", {
      headers: {
        'www-authenticate': `Bearer realm="tessera", DPoP algs="${dpopSigningAlgorithms.join(' ')}"`,
      },
    });
  }
  return { scheme, accessToken };
}

function invalidToken(description: string): OAuthError {
  return oauthError('invalid_token', description, {
    headers: {
      'www-authenticate': `Bearer realm="tessera", error="invalid_token", error_description="${description}"`,
    },
  });
}
