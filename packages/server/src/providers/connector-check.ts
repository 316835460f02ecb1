import { ProviderFailure, type ConnectorCheck } from '#connectors';
import { FetchFailure, type GuardedFetch } from '#fetch';
import { RemoteKeysFailure, type RemoteKeys } from '#remote-keys';
import { discover, stepOf } from './discovery.ts';

/** What saving a connector asks of its provider. */
export function createConnectorCheck({
  fetch,
  remoteKeys,
}: {
  fetch: GuardedFetch;
  remoteKeys: RemoteKeys;
}): ConnectorCheck {
  return {
    validateUrl(url) {
      try {
        fetch.validate(url);
      } catch (error) {
        throw error instanceof FetchFailure ? new ProviderFailure(stepOf(error), error, error) : error;
      }
    },
    discover: async (issuer, type) => (await discover(fetch, { issuer, type })).metadata,
    async validateKeys(jwksUri, algorithms) {
      await findUsableKeys(remoteKeys, jwksUri, algorithms);
    },
  };
}

/**
 * Fetches the key set and counts the keys that may verify an ID token of these algorithms.
 *
 * @throws ProviderFailure at step `keys`
 */
export async function findUsableKeys(
  remoteKeys: RemoteKeys,
  jwksUri: string,
  algorithms: readonly string[],
): Promise<number> {
  const { host } = new URL(jwksUri);
  const { keys } = await remoteKeys.fetch(jwksUri).catch((error: unknown) => {
    if (!(error instanceof RemoteKeysFailure)) throw error;
    throw new ProviderFailure(
      'keys',
      {
        received: `${host}: ${error.message}`,
        expected: 'a key set (RFC 7517) of at most 100 keys',
        mend: 'Check the address of the key set, and that this server can reach it.',
      },
      error,
    );
  });
  const usable = keys.filter(
    (key) =>
      (key.use === undefined || key.use === 'sig') &&
      algorithms.some(
        (algorithm) => key.kty === keyTypeOf(algorithm) && (key.alg === undefined || key.alg === algorithm),
      ),
  );
  if (usable.length > 0) return usable.length;
  throw new ProviderFailure('keys', {
    received: `${keys.length} keys at ${host}, none of them for ${algorithms.join(', ')}`,
    expected: 'at least one signing key for an algorithm that ID tokens may have',
    mend: 'Let the identity provider sign with an asymmetric key and publish it in its key set.',
  });
}

function keyTypeOf(algorithm: string): string {
  if (algorithm.startsWith('E')) return algorithm.startsWith('ES') ? 'EC' : 'OKP';
  return 'RSA';
}
