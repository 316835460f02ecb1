import { getRoute, type ConnectorDocument } from '@tessera/contract';
import { publicError } from '#errors';
import { restDoor, type Caller, type RestDoor } from '#http';
import type { Connector } from './connector.ts';
import type { Change, Connectors } from './connectors.ts';
import { ProviderFailure } from './provider-failure.ts';

/** `/v1/connectors`: add, read, change, delete. Discovery and the connection test are doors of `providers`. */
export function createConnectorRest({
  connectors,
  connectUrl,
}: {
  connectors: Connectors;
  /** `{connect}`, below which providers come back. */
  connectUrl: string;
}): readonly RestDoor[] {
  const toDocument = (connector: Connector): ConnectorDocument => ({
    id: connector.id,
    teamId: connector.teamId,
    name: connector.name,
    type: connector.type,
    issuer: connector.issuer,
    clientId: connector.clientId,
    hasClientSecret: connector.hasClientSecret,
    tokenEndpointAuthMethod: connector.tokenEndpointAuthMethod,
    authorizationEndpoint: connector.authorizationEndpoint,
    tokenEndpoint: connector.tokenEndpoint,
    jwksUri: connector.jwksUri,
    userinfoEndpoint: connector.userinfoEndpoint ?? null,
    endSessionEndpoint: connector.endSessionEndpoint ?? null,
    subjectClaim: 'sub',
    scopes: [...connector.scopes],
    forwardedClaims: [...connector.forwardedClaims],
    usesRefreshTokens: connector.usesRefreshTokens,
    redirectUri: `${connectUrl}/callback`,
    backchannelLogoutUri: `${connectUrl}/backchannel-logout/${connector.id}`,
    createdAt: connector.createdAt,
    updatedAt: connector.updatedAt,
  });

  return [
    restDoor(getRoute('connectors.create'), ({ team, body, ...call }) =>
      orRefused(async () => toDocument(await connectors.create(team.id, body, changeOf(call)))),
    ),
    restDoor(getRoute('connectors.get'), async ({ team, params }) =>
      toDocument(await connectors.get(team.id, params.id)),
    ),
    restDoor(getRoute('connectors.update'), ({ team, params, body, ...call }) =>
      orRefused(async () => toDocument(await connectors.update(team.id, params.id, body, changeOf(call)))),
    ),
    restDoor(getRoute('connectors.delete'), ({ team, params, ...call }) =>
      connectors.delete(team.id, params.id, changeOf(call)),
    ),
  ];
}

function changeOf({ caller, reference }: { caller: Caller; reference: string }): Change {
  return { actor: caller.id, reference };
}

/** What a provider does not bear out is the caller's to mend: their input, or their provider. */
async function orRefused<Answer>(answer: () => Promise<Answer>): Promise<Answer> {
  try {
    return await answer();
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error;
    throw publicError('connector_refused', {
      description: `Step "${error.step}": received ${error.received}. Expected ${error.expected}.`,
      mend: error.mend,
      cause: error,
    });
  }
}
