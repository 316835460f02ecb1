import { dpopSigningAlgorithms, DpopProofRefused, verifyDpopProof } from '@tessera/protocol';
import type { Clock } from '#clock';
import type { Database } from '#database';
import { OAuthError, oauthError, type OAuthErrorCode } from '#errors';
import { equalInConstantTime, hashSecret, type Sealing } from '#sealing';
import { createDpopProofStore } from './dpop-proof-store.ts';

export type DpopNeeds = { database: Database; sealing: Pick<Sealing, 'mac'>; clock: Clock };

/** A request that may carry a proof. */
export type DpopRequest = {
  /** The DPoP header. */
  proof: string | undefined;
  method: string;
  /** The address as we publish it. */
  url: string;
};

/** An access token at a resource, with the key that it is bound to. */
export type PresentedToken = DpopRequest & {
  /** Of the Authorization header, in any letter case. */
  scheme: string;
  accessToken: string;
  /** `jkt`; undefined for a bearer token. */
  boundTo: string | undefined;
  /** The server's nonce has to be in the proof. */
  needsNonce?: boolean;
};

export type Dpop = ReturnType<typeof createDpop>;

// Longer than a proof is accepted, whatever the clocks of two nodes say.
const rememberedMilliseconds = 10 * 60_000;
const pruneEveryMilliseconds = 60_000;
const nonceSlotMilliseconds = 5 * 60_000;

export function createDpop({ database, sealing, clock }: DpopNeeds) {
  const store = createDpopProofStore(database);
  let prunedAt = 0;

  /** Derived, not stored: every process gives and knows the same, and it says nothing to anybody else. */
  const nonceOf = (slot: number): string => sealing.mac('dpop-nonce', String(slot));
  const currentSlot = (): number => Math.floor(clock.now() / nonceSlotMilliseconds);
  const currentNonce = (): string => nonceOf(currentSlot());

  /** The slot before, and the one after: the clock of the node that gave it may be a little ahead. */
  function isNonceOfOurs(nonce: string): boolean {
    const slot = currentSlot();
    return [slot - 1, slot, slot + 1].some((one) => equalInConstantTime(nonceOf(one), nonce));
  }

  function verifyNonce(nonce: string | undefined, needsNonce: boolean): void {
    if (nonce === undefined ? !needsNonce : isNonceOfOurs(nonce)) return;
    throw oauthError(
      'use_dpop_nonce',
      `The DPoP proof has ${nonce === undefined ? 'no nonce' : 'an outdated nonce'}. Expected the one of the DPoP-Nonce header`,
      { headers: { 'dpop-nonce': currentNonce() } },
    );
  }

  async function verifyAndUse(
    proof: string,
    expected: { method: string; url: string; accessToken?: string },
    needsNonce: boolean,
  ): Promise<string> {
    const verified = await verifyDpopProof(proof, { ...expected, now: clock.now() }).catch(
      (error: unknown) => {
        if (!(error instanceof DpopProofRefused)) throw error;
        throw oauthError('invalid_dpop_proof', error.message, { cause: error });
      },
    );
    verifyNonce(verified.nonce, needsNonce);
    const isTimeToPrune = clock.now() - prunedAt > pruneEveryMilliseconds;
    if (isTimeToPrune) prunedAt = clock.now();
    const outcome = await database.tryWrite([
      store.use(hashSecret(`${verified.thumbprint} ${verified.id}`), rememberedMilliseconds),
      ...(isTimeToPrune ? [store.deleteExpired()] : []),
    ]);
    if (!outcome.committed) {
      throw oauthError('invalid_dpop_proof', "The DPoP proof was used before: its 'jti' is not new");
    }
    return verified.thumbprint;
  }

  return {
    currentNonce,

    /**
     * At an endpoint of the authorization server: the thumbprint of the key that the request proves, undefined when
     * it carries no proof. Uses the proof up. Throws OAuthError `invalid_dpop_proof` or `use_dpop_nonce` (RFC 9449,
     * 5 and 8).
     */
    async verifyRequest(
      { proof, method, url }: DpopRequest,
      needsNonce: boolean,
    ): Promise<string | undefined> {
      return proof === undefined ? undefined : verifyAndUse(proof, { method, url }, needsNonce);
    },

    /**
     * At a resource: whether the sender holds the key that the token is bound to, and a token that is bound to none
     * comes as a bearer token. Throws OAuthError with status 401 and the challenge (RFC 9449, 7 and 9).
     */
    async verifySender(presented: PresentedToken): Promise<void> {
      const { scheme, accessToken, boundTo, proof, method, url } = presented;
      const isDpop = scheme.toLowerCase() === 'dpop';
      if (boundTo === undefined && !isDpop) return;
      if (boundTo === undefined) {
        throw challenged(
          'invalid_token',
          'The access token is not bound to a key. Expected the scheme Bearer',
        );
      }
      if (!isDpop) {
        throw challenged(
          'invalid_token',
          'The access token is bound to a key. Expected the scheme DPoP and a proof',
        );
      }
      if (proof === undefined) throw challenged('invalid_dpop_proof', 'The DPoP header is missing');
      let thumbprint: string;
      try {
        thumbprint = await verifyAndUse(proof, { method, url, accessToken }, presented.needsNonce ?? false);
      } catch (error) {
        throw error instanceof OAuthError ? challenged(error.error, error.description, error) : error;
      }
      if (!equalInConstantTime(thumbprint, boundTo)) {
        throw challenged(
          'invalid_token',
          'The DPoP proof is made with another key than the token is bound to',
        );
      }
    },
  };
}

/** RFC 9449, 7.1: the challenge names the error, and the algorithms that a proof may have. */
function challenged(error: OAuthErrorCode, description: string, cause?: OAuthError): OAuthError {
  const words = description.replaceAll('"', "'").replaceAll(/[^\x20-\x7e]/g, '?');
  return oauthError(error, description, {
    status: 401,
    headers: {
      ...cause?.headers,
      'www-authenticate': `DPoP error="${error}", error_description="${words}", algs="${dpopSigningAlgorithms.join(' ')}"`,
    },
    cause,
  });
}
