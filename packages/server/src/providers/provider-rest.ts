import { getRoute } from '@tessera/contract';
import { ProviderFailure } from '#connectors';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import { testConnection } from './connection-test.ts';
import { discover } from './discovery.ts';
import type { ProvidersNeeds } from './providers.ts';

/** `POST /v1/connectors/discover` and `POST /v1/connectors/{id}/test`. */
export function createProviderRest(needs: ProvidersNeeds): readonly RestDoor[] {
  return [
    restDoor(getRoute('connectors.discover'), async ({ body }) => {
      try {
        const { metadata } = await discover(needs.fetch, body.issuer);
        return {
          issuer: metadata.issuer,
          authorizationEndpoint: metadata.authorizationEndpoint,
          tokenEndpoint: metadata.tokenEndpoint,
          jwksUri: metadata.jwksUri,
          userinfoEndpoint: metadata.userinfoEndpoint ?? null,
          endSessionEndpoint: metadata.endSessionEndpoint ?? null,
          tokenEndpointAuthMethodsSupported: [...metadata.tokenEndpointAuthMethodsSupported],
          scopesSupported: [...metadata.scopesSupported],
          idTokenSigningAlgValuesSupported: [...metadata.idTokenSigningAlgValuesSupported],
        };
      } catch (error) {
        if (!(error instanceof ProviderFailure)) throw error;
        throw publicError('discovery_failed', {
          description: `Step "${error.step}": received ${error.received}. Expected ${error.expected}.`,
          mend: error.mend,
          cause: error,
        });
      }
    }),
    restDoor(getRoute('connectors.test'), async ({ team, params }) =>
      testConnection(needs, await needs.connectors.get(team.id, params.id)),
    ),
  ];
}
