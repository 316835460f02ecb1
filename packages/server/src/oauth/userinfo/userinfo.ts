import { oauthError, type OAuthError } from '#errors';
import { readForm, type DoorContext } from '#http';
import { userClaims, type Tokens } from '#tokens';
import { mountForAnyOrigin, type Endpoint } from '../endpoint.ts';
import type { FindUser } from '../shapes.ts';

const claims = [
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
  'name',
  'preferred_username',
  'picture',
  'updated_at',
  'email',
  'email_verified',
];

/** OpenID Connect Core 5.3: the claims of a person, by the scopes of an access token. */
export function createUserinfo(needs: {
  api: string;
  origin: string;
  tokens: Pick<Tokens, 'findAccessToken'>;
  findUser: FindUser;
}): Endpoint {
  async function answer(context: DoorContext): Promise<Response> {
    const presented = await readBearerToken(context);
    const token = await needs.tokens.findAccessToken(presented);
    if (token === undefined) throw invalidToken('The access token is unknown, expired or revoked');
    if (token.userId === undefined || !token.scopes.includes('openid')) {
      throw oauthError('insufficient_scope', "The access token does not have the scope 'openid'", {
        status: 403,
        headers: { 'www-authenticate': 'Bearer realm="tessera", error="insufficient_scope", scope="openid"' },
      });
    }
    const user = await needs.findUser(token.userId);
    if (user === undefined || user.disabledAt !== undefined) throw invalidToken('The account is disabled');
    return context.json({ sub: user.id, ...userClaims(user, token.scopes, needs.origin) }, 200, {
      'cache-control': 'no-store',
    });
  }

  return {
    metadata: {
      userinfo_endpoint: `${needs.api}/login/oauth/userinfo`,
      claims_supported: claims,
      claims_parameter_supported: false,
    },
    mount: (door) => mountForAnyOrigin(door, '/login/oauth/userinfo', { GET: answer, POST: answer }),
  };
}

/** RFC 6750, 2.1 and 2.2: in the header or in a form body, never in the address. */
async function readBearerToken(context: DoorContext): Promise<string> {
  const authorization = context.req.header('authorization');
  const isForm = context.req.header('content-type')?.startsWith('application/x-www-form-urlencoded') ?? false;
  const inBody =
    context.req.method === 'POST' && isForm ? (await readForm(context)).get('access_token') : undefined;
  if (authorization !== undefined && inBody !== undefined) {
    throw oauthError(
      'invalid_request',
      'The access token is sent twice. Expected the Authorization header alone',
    );
  }
  if (inBody !== undefined) return inBody;
  const token = /^bearer +([^\s]+) *$/i.exec(authorization ?? '')?.[1];
  if (token === undefined) {
    // RFC 6750, 3.1: a request that did not try to authenticate is told no error code.
    throw oauthError('invalid_token', "An access token is missing. Expected 'Authorization: Bearer …'", {
      headers: { 'www-authenticate': 'Bearer realm="tessera"' },
    });
  }
  return token;
}

function invalidToken(description: string): OAuthError {
  return oauthError('invalid_token', description, {
    headers: {
      'www-authenticate': `Bearer realm="tessera", error="invalid_token", error_description="${description}"`,
    },
  });
}
