import { getRoute, pageOf, type ConnectorDocument } from '@tessera/contract';
import { publicError } from '#errors';
import { restDoor, type Caller, type RestDoor } from '#http';
import { ownRedirectUriOf, redirectUriOf, type Connector } from './connector.ts';
import type { Change, ConnectorCheck, Connectors } from './connectors.ts';
import { createConnectorKeyRest } from './keys/connector-key-rest.ts';
import { ProviderFailure } from './provider-failure.ts';

/** `/v1/connectors`: add, read, change, delete. Discovery and the connection test are doors of `providers`. */
export function createConnectorRest({
  connectors,
  connectUrl,
  projectsWith,
  discover,
  countTest,
}: {
  connectors: Connectors;
  /** `{connect}`. */
  connectUrl: string;
  /** The names of the projects that a connector protects. */
  projectsWith: (teamId: string, connectorId: string) => Promise<readonly string[]>;
  discover: ConnectorCheck['discover'];
  /** Counts that this server goes out to an address that somebody typed. Throws `too_many_connector_tests`. */
  countTest: (by: { userId: string; teamId: string }) => Promise<void>;
}): readonly RestDoor[] {
  const toDocument = (connector: Connector): ConnectorDocument => ({
    id: connector.id,
    teamId: connector.teamId,
    name: connector.name,
    type: connector.type,
    issuer: connector.issuer,
    clientId: connector.clientId,
    hasClientSecret: connector.hasClientSecret,
    clientSecretSetAt: connector.clientSecretSetAt ?? null,
    credentialsUsedAt: connector.credentialsUsedAt ?? null,
    tokenEndpointAuthMethod: connector.tokenEndpointAuthMethod,
    clientAssertionAudience: connector.clientAssertionAudience,
    clientJwksUri: `${connectUrl}/connectors/${connector.id}/jwks`,
    authorizationEndpoint: connector.authorizationEndpoint,
    tokenEndpoint: connector.tokenEndpoint,
    jwksUri: connector.jwksUri ?? null,
    userinfoEndpoint: connector.userinfoEndpoint ?? null,
    endSessionEndpoint: connector.endSessionEndpoint ?? null,
    subjectClaim: connector.subjectClaim,
    scopes: [...connector.scopes],
    forwardedClaims: [...connector.forwardedClaims],
    usesRefreshTokens: connector.usesRefreshTokens,
    usesOwnRedirectUri: connector.usesOwnRedirectUri,
    redirectUri: redirectUriOf(connectUrl, connector),
    ownRedirectUri: ownRedirectUriOf(connectUrl, connector),
    authorizationResponseIssParameterSupported: connector.authorizationResponseIssParameterSupported,
    backchannelLogoutUri: `${connectUrl}/backchannel-logout/${connector.id}`,
    createdAt: connector.createdAt,
    updatedAt: connector.updatedAt,
  });

  return [
    restDoor(getRoute('connectors.create'), async ({ team, body, ...call }) => {
      await countTest({ userId: call.caller.userId, teamId: team.id });
      return orRefused(async () => toDocument(await connectors.create(team.id, body, changeOf(call))));
    }),
    restDoor(getRoute('connectors.list'), async ({ team, query }) => {
      const found = await connectors.list(team.id, { after: query.cursor, limit: query.limit + 1 });
      const { rows, pagination } = pageOf(found, query.limit);
      return { connectors: rows.map(toDocument), pagination };
    }),
    restDoor(getRoute('connectors.get'), async ({ team, params }) =>
      toDocument(await connectors.get(team.id, params.id)),
    ),
    restDoor(getRoute('connectors.update'), async ({ team, params, body, ...call }) => {
      await countTest({ userId: call.caller.userId, teamId: team.id });
      return orRefused(async () =>
        toDocument(await connectors.update(team.id, params.id, body, changeOf(call))),
      );
    }),
    restDoor(getRoute('connectors.delete'), async ({ team, params, ...call }) => {
      const outcome = await connectors.delete(team.id, params.id, changeOf(call));
      if (outcome === 'deleted') return;
      const projects = await projectsWith(team.id, params.id);
      throw publicError('connector_in_use', {
        description:
          projects.length === 0
            ? 'It is the Passport default of the team.'
            : `It protects ${projects.slice(0, 5).join(', ')}.`,
      });
    }),
    ...createConnectorKeyRest({ connectors, discover, countTest }),
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
