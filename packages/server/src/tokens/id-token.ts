import { createHash } from 'node:crypto';
import { createId, type IdTokenSigningAlgorithm } from '@tessera/protocol';
import type { JWTPayload } from 'jose';
import type { Clock } from '#clock';
import type { Keys } from '#keys';
import type { User } from '#users';
import type { TokenFamily } from './token.ts';

/** Seconds an ID token lives. */
export const idTokenLifetimeSeconds = 60 * 60;

/** The JOSE `typ` of our ID tokens. */
export const idTokenType = 'JWT';

export type IdTokenRequest = {
  family: TokenFamily;
  user: User;
  algorithm: IdTokenSigningAlgorithm;
  accessToken: string;
  nonce?: string | undefined;
};

export type IssueIdToken = (request: IdTokenRequest) => Promise<string>;

/** Signs ID tokens (OpenID Connect Core 2 and 3.1.3.6). `issuer` is the origin. */
export function createIdTokens(needs: {
  keys: Pick<Keys, 'sign'>;
  clock: Clock;
  issuer: string;
}): IssueIdToken {
  return ({ family, user, algorithm, accessToken, nonce }) => {
    const now = Math.floor(needs.clock.now() / 1000);
    const claims: JWTPayload = {
      ...userClaims(user, family.scopes, needs.issuer, family.claims?.idToken),
      iss: needs.issuer,
      sub: user.id,
      aud: family.clientId,
      exp: now + idTokenLifetimeSeconds,
      iat: now,
      nbf: now,
      jti: createId('jti'),
      ...(nonce === undefined ? {} : { nonce }),
      auth_time: Math.floor(family.authenticatedAt / 1000),
      sid: family.sid,
      at_hash: accessTokenHash(accessToken, algorithm),
      amr: [...family.amr],
      ...(family.acr === undefined ? {} : { acr: family.acr }),
    };
    return needs.keys.sign({ purpose: 'id-token', algorithm, type: idTokenType, claims });
  };
}

/**
 * What scopes, and claims asked for by name, let an app know about a person (OpenID Connect Core 5.4 and 5.5), for ID
 * token and userinfo alike. What there is not is left out.
 */
export function userClaims(
  user: User,
  scopes: readonly string[],
  origin: string,
  named: readonly string[] = [],
): Record<string, unknown> {
  const profile: Record<string, unknown> = {
    name: user.name,
    preferred_username: user.username,
    picture: user.picture === undefined ? undefined : `${origin}${user.picture}`,
    updated_at: Math.floor(user.updatedAt / 1000),
  };
  const email: Record<string, unknown> = { email: user.email, email_verified: user.emailVerified };
  const known = { ...profile, ...email };
  const told = {
    ...(scopes.includes('profile') ? profile : {}),
    ...(scopes.includes('email') ? email : {}),
    ...Object.fromEntries(named.map((name) => [name, known[name]])),
  };
  return Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
}

/** The left half of the access token's hash, by the hash of the ID token's algorithm (OpenID Connect Core 3.1.3.6). */
function accessTokenHash(accessToken: string, algorithm: IdTokenSigningAlgorithm): string {
  // Ed25519 hashes with SHA-512 (RFC 8032, 5.1).
  const digest = createHash(algorithm === 'EdDSA' ? 'sha512' : 'sha256')
    .update(accessToken)
    .digest();
  return digest.subarray(0, digest.length / 2).toString('base64url');
}
