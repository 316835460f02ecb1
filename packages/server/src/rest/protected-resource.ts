import { dpopSigningAlgorithms } from '@tessera/protocol';
import { newDoor, publicDocument, type Door } from '#http';

const cacheSeconds = 300;

/** Where the metadata of the REST API stand: the well-known part goes before the path of the API (RFC 9728, 3.1). */
export function protectedResourceUrl(api: string): string {
  const { origin, pathname } = new URL(api);
  return `${origin}/.well-known/oauth-protected-resource${pathname.replace(/\/$/, '')}`;
}

/** Metadata of the REST API as a protected resource (RFC 9728, 2): who issues tokens for it and how they are sent. */
export function createProtectedResource({ api, origin }: { api: string; origin: string }): {
  base: string;
  door: Door;
} {
  const document = {
    resource: api,
    resource_name: 'Tessera REST API',
    authorization_servers: [origin],
    // The least that is of use: programs ask for all that stands here.
    scopes_supported: ['user:read'],
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: dpopSigningAlgorithms,
    resource_documentation: `${api}/openapi.json`,
  };
  const door = newDoor('problem');
  door.get('/', (context) => {
    // Programs in browsers look here too, and nothing here rests on who asks.
    context.header('access-control-allow-origin', '*');
    return publicDocument(context, document, cacheSeconds);
  });
  return { base: protectedResourceUrl(api), door };
}
