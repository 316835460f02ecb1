import { identityScopes, idTokenSigningAlgorithms } from '@tessera/protocol';
import { publicDocument } from '#http';
import { mountForAnyOrigin, type Endpoint } from '../endpoint.ts';

const cacheSeconds = 300;

/**
 * The metadata document, at the paths of OpenID Connect Discovery 4 and of RFC 8414 3: one document, put together
 * from what each endpoint declares. It asks no database.
 */
export function createDiscovery(needs: {
  issuer: string;
  workloadIssuer: string;
  endpoints: readonly Endpoint[];
}): Endpoint {
  const document: Record<string, unknown> = {
    issuer: needs.issuer,
    scopes_supported: identityScopes,
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: idTokenSigningAlgorithms,
    // Of ours alone: where the command line finds the issuer of workload tokens.
    workload_token_issuer: needs.workloadIssuer,
  };
  for (const endpoint of needs.endpoints) Object.assign(document, endpoint.metadata);

  return {
    metadata: {},
    mount(door) {
      for (const path of ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']) {
        mountForAnyOrigin(door, path, async (context) => publicDocument(context, document, cacheSeconds));
      }
    },
  };
}
