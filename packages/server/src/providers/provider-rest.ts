import { getRoute } from '@tessera/contract';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import { testConnection } from './connection-test.ts';
import { diagnose, textOf } from './diagnosis.ts';
import type { ProvidersNeeds } from './providers.ts';

/** `POST /v1/connectors/discover` and `POST /v1/connectors/{id}/test`. */
export function createProviderRest(needs: ProvidersNeeds): readonly RestDoor[] {
  return [
    restDoor(getRoute('connectors.discover'), async ({ body }) => {
      const diagnosis = await diagnose(needs, body);
      if ('failure' in diagnosis) {
        const { failure, steps } = diagnosis;
        throw publicError('discovery_failed', {
          description: `Step "${failure.step}": ${textOf(failure)}`,
          mend: failure.mend,
          extension: { steps },
          cause: failure,
        });
      }
      const { metadata } = diagnosis.discovery;
      return {
        issuer: metadata.issuer,
        authorizationEndpoint: metadata.authorizationEndpoint,
        tokenEndpoint: metadata.tokenEndpoint,
        jwksUri: metadata.jwksUri ?? null,
        userinfoEndpoint: metadata.userinfoEndpoint ?? null,
        endSessionEndpoint: metadata.endSessionEndpoint ?? null,
        tokenEndpointAuthMethodsSupported: [...metadata.tokenEndpointAuthMethodsSupported],
        scopesSupported: [...metadata.scopesSupported],
        idTokenSigningAlgValuesSupported: [...metadata.idTokenSigningAlgValuesSupported],
        steps: [...diagnosis.steps],
      };
    }),
    restDoor(getRoute('connectors.test'), async ({ team, params }) =>
      testConnection(needs, await needs.connectors.get(team.id, params.id)),
    ),
  ];
}
