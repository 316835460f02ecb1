import { decodeJwt, decodeProtectedHeader, type JWTPayload, type ProtectedHeaderParameters } from 'jose';

/** A client assertion (RFC 7523, 2.2) as it came: nothing of it is verified yet. */
export type ClientAssertion = { token: string; algorithm: string; claims: JWTPayload };

/** An assertion that is not accepted. The message may be shown: it never contains the assertion. */
export class AssertionRefused extends Error {
  override readonly name = 'AssertionRefused';
  /** The client that it claims to be of, when somebody else signed it. */
  readonly forgedFor: string | undefined;

  constructor(message: string, options: { cause?: unknown; forgedFor?: string } = {}) {
    super(message, { cause: options.cause });
    this.forgedFor = options.forgedFor;
  }
}

/** An assertion is for now: one that could be played back for longer is not accepted. */
export const assertionLifetimeSeconds = 300;
/** Clocks differ: FAPI 2.0 (5.3.2.1) asks for 10 s, and refuses 60. */
const clockDifferenceSeconds = 10;

const longestAssertion = 16_384;
const longestId = 512;
const compactForm = /^[\w-]+\.[\w-]+\.[\w-]+$/;
// RFC 7523 names none; the second is what its successor asks for. Any other is a token made for something else.
const types: readonly unknown[] = [undefined, 'jwt', 'client-authentication+jwt'];

/** Reads an assertion. Throws `AssertionRefused`. */
export function parseAssertion(token: string): ClientAssertion {
  if (token.length > longestAssertion || !compactForm.test(token)) {
    throw new AssertionRefused('It is not a signed JWT in compact form');
  }
  let header: ProtectedHeaderParameters;
  let claims: JWTPayload;
  try {
    header = decodeProtectedHeader(token);
    claims = decodeJwt(token);
  } catch {
    throw new AssertionRefused('Its header and claims are not JSON objects');
  }
  if (!types.includes(typeof header.typ === 'string' ? header.typ.toLowerCase() : header.typ)) {
    throw new AssertionRefused("Its 'typ' is of another kind of token. Expected 'JWT' or none");
  }
  for (const name of ['iss', 'sub'] as const) {
    if (claims[name] !== undefined && typeof claims[name] !== 'string') {
      throw new AssertionRefused(`Its '${name}' is not a string`);
    }
  }
  if (typeof header.alg !== 'string') throw new AssertionRefused("Its header has no 'alg'");
  return { token, algorithm: header.alg, claims };
}

/** What an assertion must say, whoever signed it. */
export type ExpectedAssertion = {
  /** Our issuer: `aud` is exactly this, as a string (FAPI 2.0, 5.3.2.1). */
  audience: string;
  /** Of an app that may: what else may be in `aud` (RFC 7523, 3), which then may be a list. */
  alsoAudience?: string | undefined;
  /** Milliseconds since the epoch. */
  now: number;
};

function isForUs(aud: unknown, { audience, alsoAudience }: ExpectedAssertion): boolean {
  if (alsoAudience === undefined) return aud === audience;
  return [aud].flat().some((one) => one === audience || one === alsoAudience);
}

/** The rules over the claims (RFC 7523, 3). Throws `AssertionRefused` with what was expected; times in seconds. */
export function validateClaims(
  claims: JWTPayload,
  expected: ExpectedAssertion,
): { id: string; expiresAt: number } {
  const { aud, exp, iat, nbf, jti } = claims;
  const now = expected.now / 1000;
  if (!isForUs(aud, expected)) {
    throw new AssertionRefused(
      `Its 'aud' is ${Array.isArray(aud) ? 'a list' : 'another one'}. Expected exactly the string '${expected.audience}'`,
    );
  }
  if (typeof exp !== 'number') throw new AssertionRefused("It has no 'exp'");
  if (exp <= now) throw new AssertionRefused("It has expired: its 'exp' is past");
  if (exp > now + assertionLifetimeSeconds + clockDifferenceSeconds) {
    throw new AssertionRefused(`Its 'exp' is more than ${assertionLifetimeSeconds} seconds away`);
  }
  for (const [name, time] of [
    ['iat', iat],
    ['nbf', nbf],
  ] as const) {
    if (time !== undefined && !(typeof time === 'number' && time <= now + clockDifferenceSeconds)) {
      throw new AssertionRefused(`Its '${name}' is still to come`);
    }
  }
  if (typeof jti !== 'string' || jti === '' || jti.length > longestId) {
    throw new AssertionRefused(`It has no 'jti'. Expected a string of at most ${longestId} characters`);
  }
  return { id: jti, expiresAt: exp };
}
