import { namesOf, readEnvironment } from './environment.ts';
import type { PassportIdentity } from './identity.ts';
import { readTokenHeader, type RequestSource } from './request-headers.ts';
import { createTestIdentity, type TestIdentity } from './test-identity.ts';
import { checkOptions, verifyIdentity, type VerifyIdentityOptions } from './verify-identity.ts';

export type GetIdentityOptions = Omit<VerifyIdentityOptions, 'issuer'> & {
  /** `{passport}/{team slug}`; the variable `PASSPORT_ISSUER` unless set. */
  issuer?: string | undefined;
  /** The visitor of a request without a token, on your own machine. Refused where real visitors come. */
  testIdentity?: TestIdentity | undefined;
};

/**
 * Who is visiting, by the header that the gateway sets; null when nobody signed in (the page is not protected, or a
 * machine came past the protection). A token that is there and not good is an error, never null.
 *
 * Without an argument it is the request that is being answered: `@tessera/oidc/request-context` sets it.
 *
 * @throws {PassportError} its `code` says which check failed
 */
export async function getIdentity(
  request?: RequestSource,
  options: GetIdentityOptions = {},
): Promise<PassportIdentity | null> {
  const {
    testIdentity,
    issuer = readEnvironment('PASSPORT_ISSUER'),
    audience = readAudience(options),
    ...rest
  } = options;
  const names = namesOf(options.wirePrefix);
  const test = testIdentity && createTestIdentity(testIdentity, names);
  const token = readTokenHeader(request, names);
  // An empty header is the gateway's word that nobody signed in.
  if (token === undefined && test !== undefined) return test;
  const verifying = { ...rest, issuer: issuer as string, audience };
  checkOptions(verifying);
  return token === undefined || token === '' ? null : verifyIdentity(token, verifying);
}

/** The variable stands in for options that say nothing of whom the token is for; it does not add to them. */
function readAudience({ project, environment }: GetIdentityOptions): string | undefined {
  return project === undefined && environment === undefined
    ? readEnvironment('PASSPORT_AUDIENCE')
    : undefined;
}
