import {
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type JWTPayload,
  type ProtectedHeaderParameters,
} from 'jose';
import { parseBaseUrl } from './base-url.ts';
import { namesOf } from './environment.ts';
import { PassportError, show, type PassportErrorCode } from './errors.ts';
import { identityOf, requireClaims, type PassportClaims, type PassportIdentity } from './identity.ts';
import { keySetOf } from './key-sets.ts';
import { readTokenHeader, type RequestSource } from './request-headers.ts';

export type VerifyIdentityOptions = {
  /** `{passport}/{team slug}`. Compared byte by byte. */
  issuer: string;
  /** `{origin}/{team slug}/{project name}/{environment}`, or several; without it, project and environment. */
  audience?: string | readonly string[] | undefined;
  /** The projects whose visitors you accept: by id (`prj_…`), or by name. */
  project?: string | readonly string[] | undefined;
  environment?: string | readonly string[] | undefined;
  /** Seconds by which the clocks may differ: 0 unless set, 60 at most. */
  clockToleranceSeconds?: number | undefined;
  /** As `TESSERA_WIRE_PREFIX` says it; `vercel` unless set. */
  wirePrefix?: string | undefined;
};

const algorithms = ['RS256', 'ES256'];
const longestToken = 50_000;

/**
 * Verifies a visitor's token: the text itself, or the header of a request. Workload tokens and the session cookie's
 * token are refused. Nothing widens by being left out: the issuer is needed, and either the audience or project and
 * environment.
 *
 * @throws {PassportError} its `code` says which check failed
 */
export async function verifyIdentity(
  tokenOrRequest: string | RequestSource,
  options: VerifyIdentityOptions,
): Promise<PassportIdentity> {
  const expected = checkOptions(options);
  const names = namesOf(options.wirePrefix);
  const token = typeof tokenOrRequest === 'string' ? tokenOrRequest : readTokenHeader(tokenOrRequest, names);
  if (token === undefined || token === '') {
    throw new PassportError('no_token', `There is no visitor's token: ${names.tokenHeader} is not set.`);
  }
  checkHeader(token);
  const claims = await verifySignature(token, expected);
  compare(claims, expected);
  return identityOf(claims, false);
}

type Expected = {
  issuer: string;
  audience: readonly string[] | undefined;
  project: readonly string[] | undefined;
  environment: readonly string[] | undefined;
  clockToleranceSeconds: number;
};

/** @throws {PassportError} `option` */
export function checkOptions(options: VerifyIdentityOptions): Expected {
  const given: Partial<VerifyIdentityOptions> = options ?? {};
  const { issuer, clockToleranceSeconds = 0 } = given;
  if (typeof issuer !== 'string') throw wrongOption('issuer', issuer, '{passport}/{team slug}');
  const parsed = parseBaseUrl(issuer);
  if ('problem' in parsed) throw wrongOption('issuer', issuer, `a base URL; this ${parsed.problem}`);
  if (parsed.url !== issuer || new URL(issuer).pathname === '/') {
    throw wrongOption('issuer', issuer, '{passport}/{team slug}, without a slash at its end');
  }
  if (!(clockToleranceSeconds >= 0 && clockToleranceSeconds <= 60)) {
    throw wrongOption('clockToleranceSeconds', clockToleranceSeconds, 'seconds from 0 to 60');
  }
  const expected = {
    issuer,
    audience: readNames('audience', given.audience),
    project: readNames('project', given.project),
    environment: readNames('environment', given.environment),
    clockToleranceSeconds,
  };
  const isBound =
    expected.audience !== undefined || (expected.project !== undefined && expected.environment !== undefined);
  if (!isBound) throw wrongOption('audience', given.audience, 'an audience, or project and environment');
  return expected;
}

function readNames(option: string, given: unknown): readonly string[] | undefined {
  if (given === undefined) return undefined;
  const names: unknown[] = Array.isArray(given) ? given : [given];
  if (names.length === 0) throw wrongOption(option, given, 'at least one value');
  return names.map((name) => {
    if (typeof name !== 'string' || name === '' || name.includes('*')) {
      throw wrongOption(option, name, 'what you trust, by its full name; there are no wildcards');
    }
    return name;
  });
}

function wrongOption(option: string, received: unknown, expected: string): PassportError {
  return new PassportError('option', `Passport: ${option} is ${show(received)}; expected ${expected}.`);
}

/** What can be refused before any key is fetched. */
function checkHeader(token: string): void {
  let header: ProtectedHeaderParameters;
  try {
    if (token.length > longestToken) throw new TypeError('too long');
    header = decodeProtectedHeader(token);
  } catch {
    throw new PassportError('malformed', 'This is not a JWT: expected three parts of base64url.');
  }
  if (header.alg === undefined || !algorithms.includes(header.alg)) {
    throw mismatch('algorithm', header.alg, algorithms);
  }
  if (header.typ !== 'JWT') throw mismatch('type', header.typ, ['JWT']);
  if (typeof header.kid !== 'string') {
    throw new PassportError('key', 'The token does not say which key signed it (kid).');
  }
}

async function verifySignature(token: string, expected: Expected): Promise<PassportClaims> {
  let payload: JWTPayload;
  try {
    ({ payload } = await jwtVerify(token, keySetOf(expected.issuer), {
      issuer: expected.issuer,
      ...(expected.audience === undefined ? {} : { audience: [...expected.audience] }),
      clockTolerance: expected.clockToleranceSeconds,
      algorithms,
      requiredClaims: ['iat', 'exp', 'sub'],
    }));
  } catch (error) {
    throw translate(error, expected);
  }
  if (payload['typ'] !== 'passport') throw mismatch('type', payload['typ'], ['passport']);
  if (typeof payload.aud !== 'string') throw mismatch('audience', payload.aud, ['one audience']);
  return requireClaims(payload);
}

function compare(claims: PassportClaims, expected: Expected): void {
  const team = expected.issuer.slice(expected.issuer.lastIndexOf('/') + 1);
  // The issuer is the team's own: a token that says another team was not made by the gateway.
  if (claims.owner !== team) throw mismatch('issuer', claims.owner, [team]);
  const { project, environment } = expected;
  const isProject = project?.some(
    (name) => name === (name.startsWith('prj_') ? claims.project_id : claims.project),
  );
  if (project !== undefined && isProject !== true) {
    throw mismatch('project', `${claims.project} (${claims.project_id})`, project);
  }
  if (environment !== undefined && !environment.includes(claims.environment)) {
    throw mismatch('environment', claims.environment, environment);
  }
}

const failedClaims: Readonly<Record<string, PassportErrorCode>> = {
  iss: 'issuer',
  aud: 'audience',
  nbf: 'not_yet_valid',
};

function translate(error: unknown, { issuer, audience = [] }: Expected): PassportError {
  const fail = (code: PassportErrorCode, message: string) =>
    new PassportError(code, message, { cause: error });
  if (error instanceof errors.JWTExpired) return fail('expired', "The visitor's token has expired.");
  if (error instanceof errors.JWTClaimValidationFailed) {
    const received: unknown = error.payload[error.claim];
    const code = failedClaims[error.claim] ?? 'claim';
    if (code === 'issuer') return mismatch(code, received, [issuer], error);
    if (code === 'audience') return mismatch(code, received, audience, error);
    if (code === 'not_yet_valid')
      return fail(code, 'The token is not valid yet: compare the clocks (nbf, iat).');
    return fail(code, `The claim ${error.claim} is ${show(received)}: ${error.reason}.`);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return fail('signature', 'The signature is not of the key that the token names.');
  }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return fail('key', `${issuer} publishes no key with the id that the token names.`);
  }
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
    return fail('algorithm', `Expected one of ${algorithms.join(', ')}.`);
  }
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) {
    return fail('malformed', 'This is not a signed JWT.');
  }
  return fail('keys_unreachable', `The key set of ${issuer} could not be read.`);
}

function mismatch(
  code: PassportErrorCode,
  received: unknown,
  expected: readonly string[],
  cause?: unknown,
): PassportError {
  return new PassportError(
    code,
    `The ${code} is ${show(received)}; expected ${expected.map(show).join(' or ')}.`,
    { cause },
  );
}
