import { clientAssertionType } from '@tessera/protocol';
import { oauthError, type OAuthError } from '#errors';

/** How a client says who it is (RFC 6749, 2.3). Form parameters are those of the endpoint's body. */
export type ClientCredentials =
  | { method: 'client_secret_basic' | 'client_secret_post'; clientId: string; clientSecret: string }
  | { method: 'client_assertion'; clientId: string | undefined; assertion: string }
  | { method: 'none'; clientId: string };

/** RFC 6749, 5.2: whoever tried the Authorization header is told which scheme it takes. */
const challenge = { 'www-authenticate': 'Basic realm="tessera", charset="UTF-8"' };

/** A failed authentication, with the challenge when the header was tried. */
export function failedAuthentication(description: string, withHeader: boolean): OAuthError {
  return oauthError('invalid_client', description, { headers: withHeader ? challenge : {} });
}

/**
 * Reads credentials from the `Authorization` header or the form, never from both (RFC 6749, 2.3: one method a
 * request). Throws OAuthError `invalid_client` or `invalid_request`.
 */
export function parseClientCredentials(
  authorization: string | undefined,
  form: ReadonlyMap<string, string>,
): ClientCredentials {
  const clientId = form.get('client_id');
  const clientSecret = form.get('client_secret');
  const hasAssertion = form.has('client_assertion') || form.has('client_assertion_type');
  const tried = [authorization !== undefined, clientSecret !== undefined, hasAssertion].filter(
    Boolean,
  ).length;
  if (tried > 1) {
    throw oauthError(
      'invalid_request',
      'The client authenticates by more than one method. Expected exactly one',
    );
  }
  if (hasAssertion)
    return { method: 'client_assertion', clientId, assertion: parseAssertionParameters(form) };
  if (authorization !== undefined) {
    const basic = parseBasic(authorization);
    if (clientId !== undefined && clientId !== basic.clientId) {
      throw oauthError(
        'invalid_request',
        "Parameter 'client_id'. It names another client than the Authorization header",
      );
    }
    return basic;
  }
  if (clientId === undefined) {
    throw oauthError(
      'invalid_client',
      "The client did not say who it is. Expected 'client_id' and its secret",
    );
  }
  return clientSecret === undefined
    ? { method: 'none', clientId }
    : { method: 'client_secret_post', clientId, clientSecret };
}

/** RFC 7523, 2.2. */
function parseAssertionParameters(form: ReadonlyMap<string, string>): string {
  const type = form.get('client_assertion_type');
  if (type !== clientAssertionType) {
    throw oauthError(
      'invalid_client',
      `Parameter 'client_assertion_type'. Expected '${clientAssertionType}'`,
    );
  }
  const assertion = form.get('client_assertion');
  if (assertion === undefined) throw oauthError('invalid_client', "Parameter 'client_assertion'. Required");
  return assertion;
}

function parseBasic(authorization: string): ClientCredentials & { method: 'client_secret_basic' } {
  const encoded = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(authorization)?.[1];
  if (encoded === undefined) {
    throw failedAuthentication("The Authorization header is not of the form 'Basic base64(id:secret)'", true);
  }
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const clientId = colon === -1 ? undefined : formDecode(text.slice(0, colon));
  const clientSecret = colon === -1 ? undefined : formDecode(text.slice(colon + 1));
  if (!clientId || !clientSecret) {
    throw failedAuthentication('The Authorization header does not hold a client id and a secret', true);
  }
  return { method: 'client_secret_basic', clientId, clientSecret };
}

/** RFC 6749, 2.3.1: both halves are form-encoded before they are joined. */
function formDecode(text: string): string | undefined {
  if (!/[%+]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
