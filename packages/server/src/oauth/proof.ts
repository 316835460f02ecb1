import { isPublicApp, type App } from '#apps';
import type { Dpop } from '#dpop';
import { oauthError } from '#errors';
import type { DirectCall } from '#http';

/**
 * The key that a request of this client proves, undefined when it need not and does not. Throws OAuthError
 * `invalid_request` when the proof is missing, `invalid_dpop_proof` or `use_dpop_nonce` (RFC 9449, 5 and 8).
 */
export type ReadProof = (
  call: DirectCall,
  client: App,
  url: string,
  /** Also of a client whose tokens are bound to a key: no token is issued here. */
  options?: { isOptional: true },
) => Promise<string | undefined>;

/** Proofs at the endpoints that clients call. Their answers carry the nonce for the next request. */
export function createProofReader({
  dpop,
}: {
  dpop: Pick<Dpop, 'verifyRequest' | 'currentNonce'>;
}): ReadProof {
  return async (call, client, url, options) => {
    const proof = call.header('dpop');
    if (proof === undefined) {
      if (!client.dpopBoundAccessTokens || options?.isOptional === true) return undefined;
      // There is no proof that could be wrong; the Foundation's plans accept this one at every grant.
      throw oauthError(
        'invalid_request',
        'The tokens of this client are bound to a key. Expected a DPoP header with a proof',
      );
    }
    call.setHeader('dpop-nonce', dpop.currentNonce());
    return dpop.verifyRequest({ proof, method: call.method, url }, needsNonce(client));
  };
}

/**
 * A browser’s key can be made to sign proofs for later while somebody’s script runs there: only a nonce shows that a
 * proof was made now (RFC 9449, 11.2). A confidential client may send one.
 */
export function needsNonce(client: Pick<App, 'tokenEndpointAuthMethods'>): boolean {
  return isPublicApp(client);
}
