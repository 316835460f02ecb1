import { createHash } from 'node:crypto';
import { compactVerify, decodeProtectedHeader, errors } from 'jose';
import type { IDToken } from 'oauth4webapi';
import type { Clock } from '#clock';
import { ProviderFailure, type Connector } from '#connectors';
import { RemoteKeysFailure, type RemoteKeys } from '#remote-keys';

/** A provider whose clock runs ahead by more than this has to be told, or its tokens outlive what we believe. */
const futureToleranceSeconds = 60;

/**
 * Verifies who signed an ID token, before anything in it is believed. The algorithm comes from the connector: a token
 * that says `none` or an HMAC is refused whatever the key set holds (RFC 8725 section 3.1).
 *
 * @throws ProviderFailure at step `id_token_signature`
 */
export async function verifySignature(
  idToken: string,
  connector: Connector,
  remoteKeys: RemoteKeys,
): Promise<string> {
  const { idTokenSigningAlgorithms: algorithms, jwksUri } = connector;
  if (jwksUri === undefined) throw new Error('an ID token is verified for a connector without key set');
  try {
    const { protectedHeader } = await compactVerify(idToken, remoteKeys.at(jwksUri), {
      algorithms: [...algorithms],
    });
    return protectedHeader.alg;
  } catch (error) {
    if (error instanceof RemoteKeysFailure) {
      throw signatureFailure(
        `an ID token whose key cannot be found: ${error.message}`,
        `a key of the key set at ${new URL(jwksUri).host}`,
        'Check the key set of the connector. After a key change at the provider, try again in half a minute.',
        error,
      );
    }
    if (error instanceof errors.JOSEAlgNotAllowed) {
      throw signatureFailure(
        `an ID token signed with ${algorithmOf(idToken)}`,
        `one of ${algorithms.join(', ')}`,
        'Let the identity provider sign ID tokens for this application with one of these; after a change there, save the connector again.',
        error,
      );
    }
    throw signatureFailure(
      'an ID token whose signature is not by the key of the provider',
      'a signature that the published key set verifies',
      'Check that issuer, token endpoint and key set of the connector belong together.',
      error,
    );
  }
}

/**
 * The checks of OpenID Connect Core sections 3.1.3.7 and 3.1.3.8 that the relying-party library leaves to its caller.
 *
 * @throws ProviderFailure at step `id_token`
 */
export function validateClaims(
  claims: IDToken,
  {
    algorithm,
    accessToken,
    connector,
    clock,
  }: { algorithm: string; accessToken: string; connector: Connector; clock: Clock },
): void {
  if (claims.azp !== undefined && claims.azp !== connector.clientId) {
    throw claimFailure(
      `azp ${show(claims.azp)}`,
      `azp "${connector.clientId}"`,
      'Check the client id of the connector.',
    );
  }
  const ahead = claims.iat - providerNow(clock) / 1000;
  if (ahead > futureToleranceSeconds) {
    throw claimFailure(
      `iat, the time of issue, ${Math.round(ahead)} seconds in the future`,
      `at most ${futureToleranceSeconds} seconds`,
      'Set the clocks: that of the identity provider, or that of this server, is wrong.',
    );
  }
  if (claims.sub === '' || claims.sub.length > 255) {
    throw claimFailure(
      `a sub of ${claims.sub.length} characters`,
      'a sub of 1 to 255 characters',
      'This is for the provider to mend.',
    );
  }
  const atHash = claims['at_hash'];
  if (atHash !== undefined && atHash !== leftHalfHash(algorithm, accessToken)) {
    throw claimFailure(
      'at_hash of another access token',
      'the hash of the access token that came with the ID token',
      'Try again; if it stays, this is for the provider to mend.',
    );
  }
}

/** A provider goes by the time of the world: a clock that a test has moved is moved for us alone. */
export function providerNow(clock: Clock): number {
  return clock.now() - clock.offset();
}

/** Section 3.1.3.6: the left half of the hash that the signature's algorithm uses. */
function leftHalfHash(algorithm: string, accessToken: string): string {
  const size = /(256|384|512)$/.exec(algorithm)?.[1] ?? '512';
  const hash = createHash(`sha${size}`).update(accessToken).digest();
  return hash.subarray(0, hash.length / 2).toString('base64url');
}

function signatureFailure(received: string, expected: string, mend: string, cause: unknown): ProviderFailure {
  return new ProviderFailure('id_token_signature', { received, expected, mend }, cause);
}

function claimFailure(received: string, expected: string, mend: string): ProviderFailure {
  return new ProviderFailure('id_token', { received, expected, mend });
}

function algorithmOf(idToken: string): string {
  try {
    return show(decodeProtectedHeader(idToken).alg);
  } catch {
    return 'nothing readable';
  }
}

/** A value from outside, short and on one line. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
