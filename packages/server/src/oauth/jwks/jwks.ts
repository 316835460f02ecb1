import { publicDocument } from '#http';
import type { Keys } from '#keys';
import { mountForAnyOrigin, type Endpoint } from '../endpoint.ts';

const cacheSeconds = 300;

/** The public keys of ID tokens and access tokens (RFC 7517, 5); served from the last good copy while the database is down. */
export function createJwks(needs: { keys: Pick<Keys, 'published'>; origin: string }): Endpoint {
  return {
    metadata: { jwks_uri: `${needs.origin}/.well-known/jwks` },
    mount(door) {
      mountForAnyOrigin(door, '/.well-known/jwks', async (context) =>
        publicDocument(
          context,
          { keys: await needs.keys.published(['id-token', 'access-token']) },
          cacheSeconds,
        ),
      );
    },
  };
}
