import { decodeJwt, type JWTPayload } from 'jose';
import { OidcTokenError } from './errors.ts';

// AWS takes no longer one, and no proxy such a header.
export const longestToken = 20_000;

/** What a token says of itself, unverified: to know when to ask for another one, never to trust it. */
export function readUnverified(token: string, where: string): JWTPayload & { exp: number } {
  try {
    const payload = token.length > longestToken ? {} : decodeJwt(token);
    if (typeof payload.exp === 'number') return { ...payload, exp: payload.exp };
  } catch {
    // Said below, without what was read.
  }
  throw new OidcTokenError('token_malformed', `${where} holds something that is not a workload token.`);
}

export function isFresh(payload: { exp: number }, bufferMs: number): boolean {
  return payload.exp * 1000 > Date.now() + bufferMs;
}
