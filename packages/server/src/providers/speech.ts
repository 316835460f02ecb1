import {
  allowInsecureRequests,
  ClientSecretBasic,
  ClientSecretPost,
  clockTolerance,
  customFetch,
  modifyAssertion,
  None,
  PrivateKeyJwt,
  type AuthorizationServer,
  type Client,
  type ClientAuth,
} from 'oauth4webapi';
import {
  isEntraHost,
  ProviderFailure,
  type Connector,
  type Connectors,
  type OpenedConnectorKey,
} from '#connectors';
import type { GuardedFetch } from '#fetch';

/** How a connector's provider is addressed with oauth4webapi. */
export type Speech = Awaited<ReturnType<ReturnType<typeof createSpeech>>>;

/** Providers without any tolerance refuse what was made in their future: our clock may be this much ahead. */
const assertionLeadSeconds = 10;

export function createSpeech({
  fetch,
  connectors,
}: {
  fetch: GuardedFetch;
  connectors: Pick<Connectors, 'openSecret' | 'keys'>;
}) {
  return async (connector: Connector) => {
    const server: AuthorizationServer = {
      issuer: connector.issuer,
      authorization_endpoint: connector.authorizationEndpoint,
      token_endpoint: connector.tokenEndpoint,
      id_token_signing_alg_values_supported: [...connector.idTokenSigningAlgorithms],
      authorization_response_iss_parameter_supported: connector.authorizationResponseIssParameterSupported,
      ...(connector.jwksUri ? { jwks_uri: connector.jwksUri } : {}),
      ...(connector.userinfoEndpoint ? { userinfo_endpoint: connector.userinfoEndpoint } : {}),
    };
    const client: Client = {
      client_id: connector.clientId,
      [clockTolerance]: 30,
    };
    const options = {
      [customFetch]: (url: string, request: Parameters<GuardedFetch>[1]) => fetch(url, request),
      // The guarded fetcher decides this, by host; the library's own rule would be a second one.
      [allowInsecureRequests]: true,
    };
    return { server, client, options, authentication: await authenticationOf(connector) };
  };

  async function authenticationOf(connector: Connector): Promise<ClientAuth> {
    switch (connector.tokenEndpointAuthMethod) {
      case 'none':
        return None();
      case 'client_secret_post':
        return ClientSecretPost(await getSecret(connector));
      case 'private_key_jwt':
        return assertionOf(connector, await getKey(connector));
      case 'client_secret_basic':
      default:
        return ClientSecretBasic(await getSecret(connector));
    }
  }

  async function getSecret(connector: Connector): Promise<string> {
    const secret = await connectors.openSecret(connector.id);
    if (secret !== undefined) return secret;
    throw new ProviderFailure('code_exchange', {
      received: 'a connector without client secret',
      expected: `one, for ${connector.tokenEndpointAuthMethod}`,
      mend: 'Enter the client secret of the connector.',
    });
  }

  async function getKey(connector: Connector): Promise<OpenedConnectorKey> {
    const key = await connectors.keys.openActive(connector.id);
    if (key !== undefined) return key;
    throw new ProviderFailure('code_exchange', {
      received: 'a connector without a key that signs',
      expected: 'one, for private_key_jwt',
      mend: 'Activate one of the keys of the connector.',
    });
  }
}

/** A client assertion (RFC 7523 section 3): for exactly one audience, one minute, once. */
function assertionOf(connector: Connector, key: OpenedConnectorKey): ClientAuth {
  return PrivateKeyJwt(
    { key: key.privateKey, kid: key.kid },
    {
      [modifyAssertion](header, payload) {
        header['typ'] = 'JWT';
        if (isEntraHost(new URL(connector.issuer).hostname)) header['x5t#S256'] = key.certificateThumbprint;
        payload['aud'] =
          connector.clientAssertionAudience === 'issuer' ? connector.issuer : connector.tokenEndpoint;
        for (const time of ['iat', 'nbf']) payload[time] = Number(payload[time]) - assertionLeadSeconds;
      },
    },
  );
}
