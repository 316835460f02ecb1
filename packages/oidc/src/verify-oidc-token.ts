import {
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyGetKey,
  type ProtectedHeaderParameters,
} from 'jose';
import { parseBaseUrl } from './base-url.ts';
import { OidcVerificationError, show, type OidcVerificationErrorCode } from './errors.ts';
import { longestToken } from './jwt.ts';
import { keySetOf } from './key-sets.ts';

export type VerifyOidcTokenOptions = {
  /** `{oidc}/{team slug}`, or `{oidc}` when the project's issuer mode is global. Compared byte by byte. */
  issuer: string;
  /** For whom the token has to be: your own name as an audience, or several of them. */
  audience: string | readonly string[];
  /**
   * The projects that you trust: by id (`prj_…`), or by name. With the global issuer, which signs for every team, a
   * name is `{team slug}/{name}`.
   */
  project: string | readonly string[];
  /** The environments that you trust: `production`. */
  environment: string | readonly string[];
  /** Seconds by which the clocks may differ: 0 unless set, 60 at most. */
  clockToleranceSeconds?: number | undefined;
};

/** The claims of a verified token, with the names of the wire. */
export type OidcTokenClaims = JWTPayload & {
  iss: string;
  aud: string;
  sub: string;
  iat: number;
  exp: number;
  owner: string;
  owner_id: string;
  project: string;
  project_id: string;
  environment: string;
  runtime?: string;
  user_id?: string;
  deployment_id?: string;
};

const algorithms = ['RS256', 'ES256'];
const texts = ['iss', 'aud', 'sub', 'owner', 'owner_id', 'project', 'project_id', 'environment'] as const;

/**
 * Verifies a workload token against the key set of the issuer that you name, and compares who it says it is with whom
 * you trust. There is nothing that widens by being left out: all four options are needed, none takes a wildcard.
 *
 * @returns the claims
 * @throws {OidcVerificationError} its `code` says which check failed
 */
export async function verifyOidcToken(
  token: string,
  options: VerifyOidcTokenOptions,
): Promise<OidcTokenClaims> {
  const expected = checkOptions(options);
  checkHeader(token);
  const claims = await verifySignature(token, keySetOf(expected.issuer), {
    issuer: expected.issuer,
    audience: [...expected.audience],
    clockTolerance: expected.clockToleranceSeconds,
  });
  compareProject(claims, expected);
  if (!expected.environment.includes(claims.environment)) {
    throw mismatch('environment', claims.environment, expected.environment);
  }
  return claims;
}

type Expected = {
  issuer: string;
  audience: readonly string[];
  project: readonly string[];
  environment: readonly string[];
  clockToleranceSeconds: number;
};

function checkOptions(options: VerifyOidcTokenOptions): Expected {
  const given: Partial<VerifyOidcTokenOptions> = options ?? {};
  const issuer = readNames('issuer', given.issuer);
  const [only = ''] = issuer;
  const parsed = parseBaseUrl(only);
  if (issuer.length !== 1) throw wrongOption('issuer', given.issuer, 'one issuer');
  if ('problem' in parsed) throw wrongOption('issuer', only, `a base URL; this ${parsed.problem}`);
  if (parsed.url !== only) throw wrongOption('issuer', only, 'an issuer without a slash at its end');
  const { clockToleranceSeconds = 0 } = given;
  if (!(clockToleranceSeconds >= 0 && clockToleranceSeconds <= 60)) {
    throw wrongOption('clockToleranceSeconds', clockToleranceSeconds, 'seconds from 0 to 60');
  }
  return {
    issuer: only,
    audience: readNames('audience', given.audience),
    project: readNames('project', given.project),
    environment: readNames('environment', given.environment),
    clockToleranceSeconds,
  };
}

function readNames(option: string, given: unknown): readonly string[] {
  const names: unknown[] = Array.isArray(given) ? given : [given];
  if (names.length === 0) throw wrongOption(option, given, 'at least one value');
  return names.map((name) => {
    if (typeof name !== 'string' || name === '' || name.includes('*')) {
      throw wrongOption(option, name, 'what you trust, by its full name; there are no wildcards');
    }
    return name;
  });
}

function wrongOption(option: string, received: unknown, expected: string): OidcVerificationError {
  return new OidcVerificationError(
    'option',
    `verifyOidcToken: ${option} is ${show(received)}; expected ${expected}.`,
  );
}

/** What can be refused before any key is fetched. */
function checkHeader(token: unknown): void {
  let header: ProtectedHeaderParameters;
  try {
    if (typeof token !== 'string' || token.length > longestToken) throw new TypeError('no token');
    header = decodeProtectedHeader(token);
  } catch {
    throw new OidcVerificationError('malformed', 'This is not a JWT: expected three parts of base64url.');
  }
  if (header.alg === undefined || !algorithms.includes(header.alg)) {
    throw mismatch('algorithm', header.alg, algorithms);
  }
  if (header.typ !== 'JWT') throw mismatch('type', header.typ, ['JWT']);
  if (typeof header.kid !== 'string') {
    throw new OidcVerificationError('key', 'The token does not say which key signed it (kid).');
  }
}

async function verifySignature(
  token: string,
  keySet: JWTVerifyGetKey,
  expected: { issuer: string; audience: string[]; clockTolerance: number },
): Promise<OidcTokenClaims> {
  let payload: JWTPayload;
  try {
    ({ payload } = await jwtVerify(token, keySet, {
      ...expected,
      algorithms,
      requiredClaims: ['iat', 'exp', 'sub'],
    }));
  } catch (error) {
    throw translate(error, expected);
  }
  const missing = texts.find((claim) => typeof payload[claim] !== 'string' || payload[claim] === '');
  if (missing !== undefined) {
    throw new OidcVerificationError(
      missing === 'aud' ? 'audience' : 'claim',
      `The claim ${missing} is ${show(payload[missing])}; expected a text.`,
    );
  }
  return payload as OidcTokenClaims;
}

const failedClaims: Readonly<Record<string, OidcVerificationErrorCode>> = {
  iss: 'issuer',
  aud: 'audience',
  nbf: 'not_yet_valid',
  iat: 'claim',
  exp: 'claim',
};

function translate(
  error: unknown,
  expected: { issuer: string; audience: readonly string[] },
): OidcVerificationError {
  const fail = (code: OidcVerificationErrorCode, message: string) =>
    new OidcVerificationError(code, message, { cause: error });
  if (error instanceof errors.JWTExpired) return fail('expired', 'The token has expired.');
  if (error instanceof errors.JWTClaimValidationFailed) {
    const received: unknown = error.payload[error.claim];
    const code = failedClaims[error.claim] ?? 'claim';
    if (code === 'issuer') return mismatch(code, received, [expected.issuer], error);
    if (code === 'audience') return mismatch(code, received, expected.audience, error);
    if (code === 'not_yet_valid')
      return fail(code, 'The token is not valid yet: compare the clocks (nbf, iat).');
    return fail(code, `The claim ${error.claim} is ${show(received)}: ${error.reason}.`);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return fail('signature', 'The signature is not of the key that the token names.');
  }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return fail('key', `${expected.issuer} publishes no key with the id that the token names.`);
  }
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
    return fail('algorithm', `Expected one of ${algorithms.join(', ')}.`);
  }
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) {
    return fail('malformed', 'This is not a signed JWT.');
  }
  return fail('keys_unreachable', `The key set of ${expected.issuer} could not be read.`);
}

/** A name is only unique in its team, and the global issuer signs for every team. */
function compareProject(claims: OidcTokenClaims, expected: Expected): void {
  const { project, project_id: id, owner } = claims;
  const team = teamOf(expected.issuer);
  const trusted = expected.project.some((name) => {
    if (name.startsWith('prj_')) return name === id;
    return name.includes('/') ? name === `${owner}/${project}` : name === project && owner === team;
  });
  if (trusted) return;
  if (expected.project.includes(project) && owner !== team) {
    throw new OidcVerificationError(
      'team',
      `The token is of ${show(`${owner}/${project}`)}, but ${expected.issuer} is not the issuer of that team alone. ` +
        'Trust the project by its id, or as {team slug}/{name}.',
    );
  }
  throw mismatch('project', `${owner}/${project} (${id})`, expected.project);
}

/**
 * The team whose issuer this is: the last part of its path. A host alone is the issuer of all teams, and no team's
 * slug, whatever it looks like; what stands last in the path of such an issuer is given to no team by the instance.
 */
function teamOf(issuer: string): string | undefined {
  const { pathname } = new URL(issuer);
  return pathname.slice(pathname.lastIndexOf('/') + 1) || undefined;
}

function mismatch(
  code: OidcVerificationErrorCode,
  received: unknown,
  expected: readonly string[],
  cause?: unknown,
): OidcVerificationError {
  return new OidcVerificationError(
    code,
    `The ${code} is ${show(received)}; expected ${expected.map(show).join(' or ')}.`,
    { cause },
  );
}
