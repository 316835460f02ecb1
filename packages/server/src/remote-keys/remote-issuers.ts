import { findDuplicateMember } from '@tessera/protocol';
import { decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Clock } from '#clock';
import { signatureAlgorithms } from './signature-algorithms.ts';
import { RemoteKeysFailure, type FindKey } from './remote-keys.ts';

/** How long a discovery document is good; after that, the last good one is used while no new one can be had. */
const freshMilliseconds = 10 * 60_000;
const keptMilliseconds = 24 * 60 * 60_000;
/** After a failure nobody is asked for so long: a storm of tokens reaches a dead issuer once. */
const failureMilliseconds = 30_000;
const maximumIssuers = 1_000;
const longestToken = 16_384;
const clockToleranceSeconds = 30;
/** A workload's token is of hours. What lives for longer is a secret that somebody wrote down. */
const longestLifeSeconds = 25 * 60 * 60;

/** What the issuer publishes cannot be used: not reachable, not public, not right. The message may be shown. */
export class RemoteIssuerFailure extends Error {
  override readonly name = 'RemoteIssuerFailure';
}

/** A token that is not one of the issuer's, or not one that counts now. The message may be shown. */
export class RemoteTokenRefused extends Error {
  override readonly name = 'RemoteTokenRefused';
}

export type RemoteIssuers = {
  /**
   * The claims of a JWT that this issuer signed for a workload and that counts now. Who asks has chosen the issuer from
   * its own configuration (never from the token alone, or anybody could make us fetch), and judges `aud` and all other
   * claims by itself.
   *
   * @throws {RemoteIssuerFailure} when discovery or key set are unusable
   * @throws {RemoteTokenRefused} when the token is not right
   */
  verify(token: string, issuer: string): Promise<JWTPayload>;
};

type KeptIssuer = {
  good: { jwksUri: string; fetchedAt: number } | undefined;
  failed: { failure: RemoteIssuerFailure; at: number } | undefined;
  pending: Promise<string> | undefined;
};

/**
 * Verifies tokens of issuers that are not ours, by what they publish (OpenID Connect Discovery 1.0 section 4).
 *
 * @param needs.fetch the guarded fetcher, which limits size, time and address
 */
export function createRemoteIssuers(needs: {
  fetch: (url: string, options?: { headers?: Record<string, string> }) => Promise<Response>;
  remoteKeys: { at(jwksUri: string): FindKey };
  clock: Clock;
}): RemoteIssuers {
  const { clock } = needs;
  const issuers = new LRUCache<string, KeptIssuer>({ max: maximumIssuers });

  function keptIssuer(issuer: string): KeptIssuer {
    let kept = issuers.get(issuer);
    if (kept === undefined) {
      kept = { good: undefined, failed: undefined, pending: undefined };
      issuers.set(issuer, kept);
    }
    return kept;
  }

  function remember(kept: KeptIssuer, error: unknown): RemoteIssuerFailure {
    const failure =
      error instanceof RemoteIssuerFailure
        ? error
        : new RemoteIssuerFailure(error instanceof Error ? error.message : 'no answer', { cause: error });
    kept.failed = { failure, at: clock.now() };
    return failure;
  }

  const hasJustFailed = ({ failed }: KeptIssuer): boolean =>
    failed !== undefined && clock.now() - failed.at < failureMilliseconds;

  /** The address of the key set, by one request at a time however many ask. */
  async function findJwksUri(issuer: string, kept: KeptIssuer): Promise<string> {
    const age = kept.good === undefined ? Infinity : clock.now() - kept.good.fetchedAt;
    if (kept.good !== undefined && age < freshMilliseconds) return kept.good.jwksUri;
    const lastGood = age < keptMilliseconds ? kept.good?.jwksUri : undefined;
    if (hasJustFailed(kept) && kept.failed !== undefined) {
      if (lastGood !== undefined) return lastGood;
      throw kept.failed.failure;
    }
    kept.pending ??= discover(needs.fetch, issuer)
      .then(
        (jwksUri) => {
          kept.good = { jwksUri, fetchedAt: clock.now() };
          kept.failed = undefined;
          return jwksUri;
        },
        (error: unknown) => {
          const failure = remember(kept, error);
          if (lastGood !== undefined) return lastGood;
          throw failure;
        },
      )
      .finally(() => {
        kept.pending = undefined;
      });
    return kept.pending;
  }

  return {
    async verify(token, issuer) {
      validateForm(token);
      const kept = keptIssuer(issuer);
      const jwksUri = await findJwksUri(issuer, kept);
      try {
        const { payload } = await jwtVerify(token, needs.remoteKeys.at(jwksUri), {
          algorithms: [...signatureAlgorithms],
          issuer,
          requiredClaims: ['exp', 'iat', 'aud'],
          clockTolerance: clockToleranceSeconds,
          currentDate: new Date(clock.now()),
        });
        validateMembers(token);
        validateLife(payload, clock.now() / 1000);
        return payload;
      } catch (error) {
        if (
          error instanceof RemoteKeysFailure &&
          ['unreachable', 'malformed', 'too_many'].includes(error.reason)
        ) {
          // Without any key set, the next ones are told so without a fetch.
          kept.good = undefined;
          throw remember(kept, error);
        }
        throw refusal(error);
      }
    },
  };
}

/** Fetches the discovery document. Only what is needed to find keys is looked at. */
async function discover(
  fetch: (url: string, options?: { headers?: Record<string, string> }) => Promise<Response>,
  issuer: string,
): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await fetch(url, { headers: { accept: 'application/json' } });
  if (response.status !== 200) {
    throw new RemoteIssuerFailure(`the discovery document answers ${response.status}; expected 200`);
  }
  const document: unknown = await response.json().catch(() => undefined);
  const { issuer: named, jwks_uri: jwksUri } =
    typeof document === 'object' && document !== null
      ? (document as Record<string, unknown>)
      : { issuer: undefined, jwks_uri: undefined };
  // Character for character (section 4.3): otherwise a document of one issuer speaks for another.
  if (named !== issuer) throw new RemoteIssuerFailure('the discovery document names another issuer');
  if (typeof jwksUri !== 'string' || URL.parse(jwksUri) === null) {
    throw new RemoteIssuerFailure('the discovery document has no jwks_uri');
  }
  return jwksUri;
}

function validateForm(token: string): void {
  if (token.length > longestToken || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) {
    throw new RemoteTokenRefused('the token is not a signed JWT in compact form');
  }
  let typ: unknown;
  try {
    ({ typ } = decodeProtectedHeader(token));
  } catch {
    throw new RemoteTokenRefused('the header of the token is not a JSON object');
  }
  // An access token or a logout token of the same issuer says something else (RFC 8725 section 3.11).
  if (typ !== undefined && (typeof typ !== 'string' || typ.toUpperCase() !== 'JWT')) {
    throw new RemoteTokenRefused('the token is of another kind: its typ must be "JWT" or absent');
  }
}

/** As it was written: parsed, a second member of one name has taken the place of the first (RFC 8259, 4). */
function validateMembers(token: string): void {
  const written = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  const doubled = findDuplicateMember(written);
  if (doubled === undefined) return;
  throw new RemoteTokenRefused(`it says "${doubled.slice(0, 100)}" twice`);
}

function validateLife({ exp = 0, iat = 0 }: JWTPayload, nowSeconds: number): void {
  // A life that begins later than now would be as long as somebody wants.
  if (iat > nowSeconds + clockToleranceSeconds) {
    throw new RemoteTokenRefused('the token is from the future: its "iat" is still to come');
  }
  if (exp - Math.min(iat, nowSeconds) > longestLifeSeconds) {
    throw new RemoteTokenRefused(`the token lives longer than ${longestLifeSeconds / 3600} hours`);
  }
}

function refusal(error: unknown): unknown {
  if (error instanceof RemoteTokenRefused) return error;
  if (error instanceof RemoteKeysFailure || error instanceof errors.JOSEError) {
    return new RemoteTokenRefused(error.message, { cause: error });
  }
  return error;
}
