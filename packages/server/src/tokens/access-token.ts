import {
  createId,
  createOpaqueToken,
  hasValidChecksum,
  type IdTokenSigningAlgorithm,
} from '@tessera/protocol';
import { decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose';
import type { Clock } from '#clock';
import type { Keys } from '#keys';
import { hashSecret } from '#sealing';
import { accessTokenLifetimeSeconds, type TokenFamily, type TokenReach } from './token.ts';

/** The JOSE `typ` of access tokens that are JWTs (RFC 9068, 2.1). */
export const accessTokenType = 'at+jwt';

/** What an app's access tokens are made as. */
export type AccessTokenForm = {
  accessTokenFormat: 'opaque' | 'jwt';
  /** Of those that are JWTs. */
  idTokenSignedResponseAlg: IdTokenSigningAlgorithm;
};

export type NewAccessToken = {
  clientId: string;
  /** Undefined for a token that an app gets for itself. */
  family: TokenFamily | undefined;
  reach: TokenReach;
  dpopJkt: string | undefined;
};

export type AccessTokens = ReturnType<typeof createAccessTokens>;

/** Makes access tokens and reads them. Either form is in force only as long as its hash is stored. */
export function createAccessTokens(needs: {
  keys: Pick<Keys, 'sign' | 'isInForce'>;
  clock: Clock;
  /** The origin, and what a token is for that is for no other resource server (RFC 9068, 3). */
  issuer: string;
  api: string;
  prefix: string;
}) {
  const { keys, clock, issuer, api, prefix } = needs;

  /** RFC 9068, 2.2. */
  function claimsOf({ clientId, family, reach, dpopJkt }: NewAccessToken): JWTPayload {
    const now = Math.floor(clock.now() / 1000);
    const { resources } = reach;
    return {
      iss: issuer,
      sub: family?.userId ?? clientId,
      aud: resources.length > 1 ? [...resources] : (resources[0] ?? api),
      client_id: clientId,
      iat: now,
      nbf: now,
      exp: now + accessTokenLifetimeSeconds,
      jti: createId('jti'),
      ...(reach.scopes.length === 0 ? {} : { scope: reach.scopes.join(' ') }),
      ...(family === undefined
        ? {}
        : {
            auth_time: Math.floor(family.authenticatedAt / 1000),
            amr: [...family.amr],
            ...(family.acr === undefined ? {} : { acr: family.acr }),
            sid: family.sid,
          }),
      ...(dpopJkt === undefined ? {} : { cnf: { jkt: dpopJkt } }),
    };
  }

  return {
    async create(
      token: NewAccessToken,
      form: AccessTokenForm,
    ): Promise<{ accessToken: string; hash: string; jti: string }> {
      if (form.accessTokenFormat === 'opaque') {
        const accessToken = createOpaqueToken(prefix);
        const hash = hashSecret(accessToken);
        return { accessToken, hash, jti: hash };
      }
      const claims = claimsOf(token);
      const accessToken = await keys.sign({
        purpose: 'access-token',
        algorithm: form.idTokenSignedResponseAlg,
        type: accessTokenType,
        claims,
      });
      return { accessToken, hash: hashSecret(accessToken), jti: String(claims.jti) };
    },

    /**
     * The hash under which a presented string is stored if it is one of ours, and its name; undefined for a string
     * that cannot be one, or whose key is not in force. Proves nothing: what counts is that the hash is stored.
     */
    read(presented: string): { hash: string; readJti: () => string } | undefined {
      const isOpaque = hasValidChecksum(presented, prefix);
      if (!isOpaque && !/^[\w-]{1,1000}\.[\w-]{1,7000}\.[\w-]{1,1000}$/.test(presented)) return undefined;
      if (!isOpaque && !keys.isInForce(readKid(presented), 'access-token')) return undefined;
      const hash = hashSecret(presented);
      return { hash, readJti: () => (isOpaque ? hash : (decodeJwt(presented).jti ?? hash)) };
    },
  };
}

function readKid(jwt: string): string {
  try {
    return decodeProtectedHeader(jwt).kid ?? '';
  } catch {
    return '';
  }
}
