import { createRemoteJWKSet, type JWTVerifyGetKey } from 'jose';
import { joinPath } from './base-url.ts';

const remembered = 100;
const known = new Map<string, JWTVerifyGetKey>();

/**
 * The key set of an issuer, at its own path. It is fetched when needed, at most every 30 seconds for a key that is not
 * in it, and read anew after 10 minutes; no redirect is followed, and an answer takes 5 seconds at most.
 */
export function keySetOf(issuer: string): JWTVerifyGetKey {
  const before = known.get(issuer);
  if (before !== undefined) return before;
  const keySet = createRemoteJWKSet(joinPath(issuer, '/.well-known/jwks'));
  known.set(issuer, keySet);
  for (const oldest of known.keys()) {
    if (known.size <= remembered) break;
    known.delete(oldest);
  }
  return keySet;
}
