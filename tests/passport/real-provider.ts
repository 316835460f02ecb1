import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { Provider, type ClientMetadata, type Configuration } from 'oidc-provider';
import { listen } from '../../examples/listen.ts';

export type RealProvider = {
  issuer: string;
  /** Registers the one client anew, as its administrators would change it; keys and issuer stay. */
  register(client: Partial<ClientMetadata>): void;
  close(): Promise<void>;
};

const accountId = 'staff|grace';

/**
 * The certified provider `oidc-provider` in a configuration of its own, which signs everybody in without asking.
 */
export async function startRealProvider(settings: {
  redirectUri: string;
  client: Partial<ClientMetadata>;
  idTokenAlgorithm?: 'RS256' | 'ES256' | 'PS256';
  configuration?: Configuration;
}): Promise<RealProvider> {
  const { redirectUri, idTokenAlgorithm = 'RS256', configuration } = settings;
  const server = createServer();
  const running = await listen(server, 0);
  const { privateKey } = await generateKeyPair(idTokenAlgorithm, { extractable: true });
  const key: JWK = { ...(await exportJWK(privateKey)), alg: idTokenAlgorithm, use: 'sig' };
  let provider = create(settings.client);

  function create(client: Partial<ClientMetadata>): Provider {
    return new Provider(running.url, {
      clients: [
        {
          client_id: 'tessera',
          redirect_uris: [redirectUri],
          grant_types: ['authorization_code'],
          response_types: ['code'],
          id_token_signed_response_alg: idTokenAlgorithm,
          ...client,
        },
      ],
      jwks: { keys: [key] },
      cookies: { keys: ['for a test alone'] },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
      interactions: { url: (_context, interaction) => `/sign-in/${interaction.uid}` },
      async loadExistingGrant(context) {
        const grant = new context.oidc.provider.Grant({ accountId, clientId: 'tessera' });
        grant.addOIDCScope('openid profile email');
        await grant.save();
        return grant;
      },
      findAccount: (_context, sub) => ({
        accountId: sub,
        claims: () => ({
          sub,
          email: 'grace@corp.example',
          email_verified: true,
          name: 'Grace Hopper',
          groups: ['staff'],
        }),
      }),
      // Its own guard refuses loopback, where Tessera's key set is in a test.
      fetch: (url, options) => globalThis.fetch(url, withoutGuard(options)),
      ...configuration,
      features: { devInteractions: { enabled: false }, ...configuration?.features },
    });
  }

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const asked = request.url?.startsWith('/sign-in/')
      ? provider.interactionFinished(request, response, { login: { accountId } })
      : provider.callback()(request, response);
    asked.catch((error: unknown) => response.writeHead(500).end(String(error)));
  });

  return {
    issuer: running.url,
    register(client) {
      provider = create(client);
    },
    close: () => running.close(),
  };
}

function withoutGuard(options: (RequestInit & { dispatcher?: unknown }) | undefined): RequestInit {
  const { dispatcher: _, ...rest } = options ?? {};
  return rest;
}
