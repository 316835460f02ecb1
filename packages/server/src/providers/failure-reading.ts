import {
  AuthorizationResponseError,
  INVALID_RESPONSE,
  JSON_ATTRIBUTE_COMPARISON,
  JWT_CLAIM_COMPARISON,
  JWT_TIMESTAMP_CHECK,
  OperationProcessingError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'oauth4webapi';
import { ProviderFailure, type ProviderStep } from '#connectors';
import { FetchFailure } from '#fetch';
import { show } from './id-token.ts';

/**
 * Says in our words what the relying-party library or the fetcher found, without any of the answer's body. Errors
 * that are none of theirs pass unchanged.
 */
export function readFailure(step: ProviderStep, error: unknown): unknown {
  if (error instanceof ProviderFailure) return error;
  if (error instanceof FetchFailure) return new ProviderFailure(step, error, error);
  if (error instanceof AuthorizationResponseError) return authorizationFailure(error);
  if (error instanceof ResponseBodyError) return refusalOf(step, error.error, error.status, error);
  if (error instanceof WWWAuthenticateChallengeError) return refusalOf(step, undefined, error.status, error);
  if (error instanceof OperationProcessingError) return processingFailure(step, error);
  // The library's own complaint that a token has a form it does not know (an encrypted one, for example).
  if (error instanceof Error && error.name === 'UnsupportedOperationError') {
    return malformed(step, error.message, error);
  }
  return error;
}

function authorizationFailure(error: AuthorizationResponseError): ProviderFailure {
  const said = error.error_description ? `: ${show(error.error_description)}` : '';
  const denied = error.error === 'access_denied';
  return new ProviderFailure(
    'authorization',
    {
      received: `"${code(error.error)}" from the identity provider${said}`,
      expected: 'a sign-in',
      mend: denied
        ? 'The sign-in was cancelled, or the identity provider does not let you in. Begin anew, or ask to be assigned to this application there.'
        : 'Begin anew; if it stays, give the reference to the team that runs this deployment.',
    },
    error,
  );
}

/** A provider that says no: with an error code of its own, or by its status alone. */
export function refusalOf(
  step: ProviderStep,
  error: string | undefined,
  status: number,
  cause: unknown,
): ProviderFailure {
  const named = error === undefined ? `status ${status}` : `"${code(error)}" (status ${status})`;
  return new ProviderFailure(
    step,
    {
      received: `${named} from the identity provider`,
      expected: 'status 200',
      mend: mendOf(step, error, status),
      // The second is GitHub's word for the first.
      isFinal: error === 'invalid_grant' || error === 'bad_refresh_token',
    },
    cause,
  );
}

function mendOf(step: ProviderStep, error: string | undefined, status: number): string {
  if (
    error === 'invalid_client' ||
    error === 'incorrect_client_credentials' ||
    error === 'unauthorized_client' ||
    (step === 'code_exchange' && status === 401)
  ) {
    return 'Check client id, client secret and tokenEndpointAuthMethod of the connector against the application at the identity provider; for private_key_jwt, whether it has the key set or certificate of this connector.';
  }
  if (error === 'invalid_grant' || error === 'bad_verification_code' || error === 'redirect_uri_mismatch') {
    return 'Check that the redirect URI registered at the identity provider is the one the connector shows, and that the clocks agree.';
  }
  if (status === 404 || status === 405)
    return 'Check the address of this endpoint: nothing takes the request there.';
  return 'Try again; if it stays, look into the log of the identity provider.';
}

type Facts = { claim?: string; claims?: Record<string, unknown>; expected?: unknown; attribute?: string };

function processingFailure(step: ProviderStep, error: OperationProcessingError): ProviderFailure {
  const facts = (typeof error.cause === 'object' && error.cause !== null ? error.cause : {}) as Facts;
  const claim = facts.claim ?? '';
  switch (error.code) {
    case JWT_CLAIM_COMPARISON:
      return new ProviderFailure('id_token', claimTexts(claim, facts), error);
    case JWT_TIMESTAMP_CHECK:
      return new ProviderFailure(
        'id_token',
        {
          received: `an ID token whose "${claim}" is ${show(facts.claims?.[claim])}`,
          expected: 'an ID token that is valid now',
          mend: 'Set the clocks: that of the identity provider, or that of this server, is wrong. Then begin anew.',
        },
        error,
      );
    case JSON_ATTRIBUTE_COMPARISON:
      return new ProviderFailure(
        'userinfo',
        {
          received: 'userinfo of another person than the ID token',
          expected: 'the same sub in both',
          isFinal: true,
          mend: 'Check that userinfo and token endpoint of the connector belong together; otherwise this is for the provider to mend.',
        },
        error,
      );
    case INVALID_RESPONSE:
    case undefined:
    default:
      return malformed(step, error.message, error);
  }
}

function claimTexts(claim: string, { claims, expected }: Facts) {
  if (claim === 'nonce') {
    return {
      received: 'an ID token with the nonce of another sign-in, or none',
      expected: 'the nonce of this sign-in',
      mend: 'This is for the provider to mend.',
    };
  }
  return {
    received: `${claim} ${show(claims?.[claim])} in the ID token`,
    expected: expected === undefined ? `${claim} for this application alone` : `${claim} ${show(expected)}`,
    mend:
      claim === 'iss'
        ? 'Enter exactly the issuer that the provider puts into its tokens.'
        : 'Check the client id of the connector against the application at the identity provider.',
  };
}

function malformed(step: ProviderStep, message: string, cause: unknown): ProviderFailure {
  return new ProviderFailure(
    step,
    {
      received: `an answer that cannot be used (${message})`,
      expected: 'an answer as OpenID Connect Core 1.0 has it',
      mend: 'Check the endpoints of the connector; if they are right, this is for the provider to mend.',
    },
    cause,
  );
}

/** An error code from outside (RFC 6749 appendix A.7), never longer than one is. */
function code(error: string): string {
  return /^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,64}$/.test(error) ? error : 'an unreadable error';
}
