import {
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type JWTPayload,
  type ProtectedHeaderParameters,
} from 'jose';
import type { HeldKey, KeyPurpose } from './key.ts';

/** What a token must be to be accepted. Everything is exact; nothing here has a default that widens. */
export type ExpectedToken = {
  purpose: KeyPurpose;
  /** The JOSE header `typ`, exact (RFC 8725 section 3.11). */
  type: string;
  /** The `iss` claim, or the issuers that may have issued it. */
  issuer: string | readonly string[];
  /** One of these must be in `aud`. `undefined`, which has to be written, leaves the audience to the caller. */
  audience: string | readonly string[] | undefined;
  /** For an `id_token_hint`, which may be old (OpenID Connect Core section 3.1.2.1). */
  acceptExpired?: boolean;
};

export type RefusalReason =
  | 'malformed'
  | 'type'
  | 'algorithm'
  | 'key'
  | 'signature'
  | 'issuer'
  | 'audience'
  | 'expired'
  | 'not-yet'
  | 'claims';

/** A token that is not accepted. The message may be shown: it never contains the token. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

const longestToken = 16_384;
// Anything that could bring a key, an extension or a decompression of the sender's choice (RFC 8725 section 3).
const allowedHeaderMembers = new Set(['alg', 'kid', 'typ']);
const compactForm = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Reads the header and refuses what we never sign, before any key is looked up. */
export function parseTokenHeader(token: string, type: string): { kid: string; algorithm: string } {
  if (token.length > longestToken) throw new TokenRefused('malformed', 'The token is longer than 16 KiB.');
  if (!compactForm.test(token)) {
    throw new TokenRefused('malformed', 'The token is not a JWS in compact form (three base64url parts).');
  }
  let header: ProtectedHeaderParameters;
  try {
    header = decodeProtectedHeader(token);
  } catch (cause) {
    throw new TokenRefused('malformed', 'The header of the token is not a JSON object.', { cause });
  }
  const stranger = Object.keys(header).find((member) => !allowedHeaderMembers.has(member));
  if (stranger !== undefined) {
    throw new TokenRefused(
      'malformed',
      `The header of the token has "${stranger.slice(0, 32)}", which is never accepted.`,
    );
  }
  if (header.typ !== type) {
    throw new TokenRefused('type', `The token is of another kind: its typ must be exactly "${type}".`);
  }
  if (typeof header.kid !== 'string' || typeof header.alg !== 'string') {
    throw new TokenRefused('key', 'The header of the token must name its key (kid) and algorithm (alg).');
  }
  return { kid: header.kid, algorithm: header.alg };
}

/** The algorithm is the key's own, never the token's wish. */
export function validateKey(
  key: HeldKey | undefined,
  purpose: KeyPurpose,
  algorithm: string,
): asserts key is HeldKey {
  if (key === undefined || key.purpose !== purpose) {
    throw new TokenRefused(
      'key',
      'The token is not signed with a key that is in force for this kind of token.',
    );
  }
  if (key.algorithm !== algorithm) {
    throw new TokenRefused(
      'algorithm',
      `The token names another algorithm than its key has (${key.algorithm}).`,
    );
  }
}

export async function verifySignatureAndClaims(
  token: string,
  key: HeldKey,
  expected: ExpectedToken,
  now: number,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, key.publicKey, {
      algorithms: [key.algorithm],
      typ: expected.type,
      issuer: typeof expected.issuer === 'string' ? expected.issuer : [...expected.issuer],
      ...(expected.audience === undefined
        ? {}
        : { audience: typeof expected.audience === 'string' ? expected.audience : [...expected.audience] }),
      requiredClaims: ['iat', 'exp', 'sub'],
      currentDate: new Date(now),
      ...(expected.acceptExpired === true ? { clockTolerance: Number.MAX_SAFE_INTEGER } : {}),
    });
    return payload;
  } catch (cause) {
    throw refusal(cause);
  }
}

function refusal(cause: unknown): Error {
  if (cause instanceof errors.JWTExpired)
    return new TokenRefused('expired', 'The token has expired.', { cause });
  if (cause instanceof errors.JWTClaimValidationFailed) {
    const reasons: Partial<Record<string, RefusalReason>> = {
      iss: 'issuer',
      aud: 'audience',
      nbf: 'not-yet',
    };
    return new TokenRefused(
      reasons[cause.claim] ?? 'claims',
      `The claim "${cause.claim}" of the token is not the one expected.`,
      { cause },
    );
  }
  if (cause instanceof errors.JWSSignatureVerificationFailed) {
    return new TokenRefused('signature', 'The signature of the token is wrong.', { cause });
  }
  if (cause instanceof errors.JOSEError) {
    return new TokenRefused('malformed', 'The token is not a signed JWT that we could have issued.', {
      cause,
    });
  }
  return cause instanceof Error ? cause : new Error('verification failed', { cause });
}
