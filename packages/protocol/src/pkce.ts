import { base64url } from 'jose';

const UNRESERVED = /^[A-Za-z0-9\-._~]{43,128}$/;

/** Whether a string follows the grammar of a code verifier (RFC 7636, 4.1): 43 to 128 unreserved characters. */
export function isCodeVerifier(value: string): boolean {
  return UNRESERVED.test(value);
}

/** Whether a string follows the grammar of a code challenge (RFC 7636, 4.2). */
export function isCodeChallenge(value: string): boolean {
  return UNRESERVED.test(value);
}

/** The S256 challenge of a verifier: BASE64URL(SHA256(verifier)) (RFC 7636, 4.2). */
export async function codeChallengeS256(codeVerifier: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(codeVerifier));
  return base64url.encode(new Uint8Array(digest));
}

/** Whether a verifier fits a challenge by S256 (RFC 7636, 4.6). A malformed verifier never fits. */
export async function verifyS256(codeVerifier: string, codeChallenge: string): Promise<boolean> {
  // Both are seen by whoever holds the code already: the comparison hides nothing and needs no constant time.
  return isCodeVerifier(codeVerifier) && (await codeChallengeS256(codeVerifier)) === codeChallenge;
}
