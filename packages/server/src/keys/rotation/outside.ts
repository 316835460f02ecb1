/** What a revocation cannot do, in words for whoever revokes. */
export const outsideNote =
  'Nothing that the revoked key signed is accepted here any more. A verifier elsewhere that keeps to Cache-Control ' +
  'may accept it until cachedUntil. One that reads the key set only when it meets a key that it does not know may go ' +
  'on until it meets the new key, is restarted, or the token ends: until tokensEndBy at the latest for tokens that were ' +
  'made before the revocation, and without an end for tokens that a thief of the key makes. Restart such verifiers.';
