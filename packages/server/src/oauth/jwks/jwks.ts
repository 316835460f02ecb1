import type { Keys } from '#keys';
import { mountForAnyOrigin, type Endpoint } from '../endpoint.ts';

/** The public keys of ID tokens (RFC 7517, 5); served from the last good copy while the database is down. */
export function createJwks(needs: { keys: Pick<Keys, 'published'>; origin: string }): Endpoint {
  return {
    metadata: { jwks_uri: `${needs.origin}/.well-known/jwks` },
    mount(door) {
      mountForAnyOrigin(door, '/.well-known/jwks', {
        GET: async (context) =>
          context.json({ keys: await needs.keys.published(['id-token']) }, 200, {
            'cache-control': 'public, max-age=300, stale-while-revalidate=3600',
          }),
      });
    },
  };
}
