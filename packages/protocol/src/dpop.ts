import {
  base64url,
  calculateJwkThumbprint,
  compactVerify,
  decodeProtectedHeader,
  importJWK,
  type CryptoKey,
  type JWK,
  type ProtectedHeaderParameters,
} from 'jose';

/** What a proof may be signed with: the asymmetric ones that FAPI 2.0 (5.4.1) leaves. `Ed25519` is RFC 9864's name. */
export const dpopSigningAlgorithms = ['ES256', 'PS256', 'EdDSA', 'Ed25519'] as const;

/** A DPoP proof's time: `iat` may be so old, or so far ahead of our clock. */
export const dpopProofAgeSeconds = 60;
export const dpopProofAheadSeconds = 15;

/** What a proof must be about (RFC 9449, 4.3). */
export type ExpectedDpopProof = {
  /** The request's HTTP method. */
  method: string;
  /** The address that was called, as we publish it; query and fragment do not count. */
  url: string;
  /** Milliseconds since the epoch. */
  now: number;
  /** At a resource: the token that the proof was made for (`ath`). */
  accessToken?: string | undefined;
};

export type DpopProof = {
  /** The key's thumbprint (RFC 7638, SHA-256, base64url): `jkt`. */
  thumbprint: string;
  /** `jti`, to be used once. */
  id: string;
  /** The server's nonce that it answers to. */
  nonce: string | undefined;
};

/** A proof that is not accepted. The message may be shown: it never contains the proof. */
export class DpopProofRefused extends Error {
  override readonly name = 'DpopProofRefused';
}

const longestProof = 8_192;
const longestId = 512;
const compactForm = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
// 4096 bits as base64url: verifying with a larger key is work that a stranger could give us for nothing.
const longestModulus = 684;
const longestExponent = 6;

/**
 * Verifies a DPoP proof (RFC 9449, 4.3) but for what needs a memory: that its `jti` is new and its `nonce` one of
 * ours is the caller's to see to. Throws `DpopProofRefused`.
 */
export async function verifyDpopProof(proof: string, expected: ExpectedDpopProof): Promise<DpopProof> {
  const { algorithm, jwk } = parseHeader(proof);
  const claims = await verifySignature(proof, algorithm, jwk);
  validateClaims(claims, expected);
  if (expected.accessToken !== undefined) await validateTokenHash(claims['ath'], expected.accessToken);
  const { jti: id, nonce } = claims;
  if (typeof id !== 'string' || id === '' || id.length > longestId) {
    throw new DpopProofRefused(
      `The DPoP proof has no 'jti'. Expected a string of at most ${longestId} characters`,
    );
  }
  if (nonce !== undefined && typeof nonce !== 'string') {
    throw new DpopProofRefused("The DPoP proof's 'nonce' is not a string");
  }
  return { thumbprint: await calculateJwkThumbprint(jwk, 'sha256'), id, nonce };
}

function parseHeader(proof: string): { algorithm: string; jwk: JWK } {
  if (proof.length > longestProof || !compactForm.test(proof)) {
    throw new DpopProofRefused('The DPoP header is not one JWT in compact form');
  }
  let header: ProtectedHeaderParameters & { jwk?: unknown };
  try {
    header = decodeProtectedHeader(proof);
  } catch {
    throw new DpopProofRefused("The DPoP proof's header is not a JSON object");
  }
  if (header.typ !== 'dpop+jwt') {
    throw new DpopProofRefused("The DPoP proof's 'typ' is another one. Expected 'dpop+jwt'");
  }
  const algorithm = dpopSigningAlgorithms.find((name) => name === header.alg);
  if (algorithm === undefined) {
    throw new DpopProofRefused(
      `The DPoP proof's 'alg' is not accepted. Expected one of ${dpopSigningAlgorithms.join(', ')}`,
    );
  }
  const { jwk } = header;
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) {
    throw new DpopProofRefused("The DPoP proof's header has no 'jwk'. Expected the public key");
  }
  if (privateMembers.some((member) => member in jwk)) {
    throw new DpopProofRefused("The DPoP proof's 'jwk' has private members. Expected the public key alone");
  }
  const { n, e } = jwk as { n?: unknown; e?: unknown };
  if (isLongerThan(longestModulus, n) || isLongerThan(longestExponent, e)) {
    throw new DpopProofRefused("The DPoP proof's key is too large. Expected at most 4096 bits");
  }
  return { algorithm, jwk };
}

function isLongerThan(limit: number, member: unknown): boolean {
  return typeof member === 'string' && member.length > limit;
}

async function verifySignature(
  proof: string,
  algorithm: string,
  jwk: JWK,
): Promise<Readonly<Record<string, unknown>>> {
  let payload: Uint8Array;
  try {
    // Asymmetric, by the list above: never the bytes of a symmetric key.
    const key = (await importJWK(jwk, algorithm)) as CryptoKey;
    ({ payload } = await compactVerify(proof, key, { algorithms: [algorithm] }));
  } catch {
    throw new DpopProofRefused("The DPoP proof's signature does not fit its key");
  }
  let claims: unknown;
  try {
    claims = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    claims = undefined;
  }
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) {
    throw new DpopProofRefused("The DPoP proof's claims are not a JSON object");
  }
  return claims as Record<string, unknown>;
}

function validateClaims(claims: Readonly<Record<string, unknown>>, expected: ExpectedDpopProof): void {
  const { htm, htu, iat, nbf, exp } = claims;
  if (htm !== expected.method) {
    throw new DpopProofRefused(`The DPoP proof's 'htm' is another method. Expected '${expected.method}'`);
  }
  if (typeof htu !== 'string' || targetOf(htu) !== targetOf(expected.url)) {
    throw new DpopProofRefused(`The DPoP proof's 'htu' is another address. Expected '${expected.url}'`);
  }
  const now = expected.now / 1000;
  if (typeof iat !== 'number' || iat < now - dpopProofAgeSeconds || iat > now + dpopProofAheadSeconds) {
    throw new DpopProofRefused(
      `The DPoP proof's 'iat' is not a time of now. Expected seconds since the epoch, made for this request`,
    );
  }
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf <= now + dpopProofAheadSeconds)) {
    throw new DpopProofRefused("The DPoP proof's 'nbf' is still to come");
  }
  if (exp !== undefined && !(typeof exp === 'number' && exp > now)) {
    throw new DpopProofRefused("The DPoP proof's 'exp' is past");
  }
}

async function validateTokenHash(ath: unknown, accessToken: string): Promise<void> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(accessToken));
  if (ath !== base64url.encode(new Uint8Array(digest))) {
    throw new DpopProofRefused("The DPoP proof's 'ath' is not the hash of the access token it came with");
  }
}

/** RFC 9449, 4.3: compared after syntax- and scheme-based normalization, without query and fragment. */
function targetOf(address: string): string | undefined {
  const url = URL.parse(address);
  return url === null || url.username !== '' || url.password !== ''
    ? undefined
    : `${url.protocol}//${url.host}${url.pathname}`;
}
