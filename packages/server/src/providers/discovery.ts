import { z } from 'zod';
import { ProviderFailure, type ProviderMetadata } from '#connectors';
import { FetchFailure, type GuardedFetch } from '#fetch';

const httpUrl = z.string().refine((value) => URL.parse(value) !== null, 'expected a URL');
const words = z.array(z.string());

// OpenID Connect Discovery 1.0 section 3, as far as it is used here; other members may be there.
const discoveryDocument = z.object({
  issuer: z.string(),
  authorization_endpoint: httpUrl,
  token_endpoint: httpUrl,
  jwks_uri: httpUrl,
  userinfo_endpoint: httpUrl.optional(),
  end_session_endpoint: httpUrl.optional(),
  token_endpoint_auth_methods_supported: words.optional(),
  scopes_supported: words.optional(),
  id_token_signing_alg_values_supported: words.optional(),
  authorization_response_iss_parameter_supported: z.boolean().optional(),
  code_challenge_methods_supported: words.optional(),
});

export type Discovery = {
  metadata: ProviderMetadata;
  /** The provider's clock as its answer told it, milliseconds since the epoch. */
  providerTime: number | undefined;
};

/**
 * Fetches and validates an issuer's discovery document.
 *
 * @throws ProviderFailure at step `url`, `discovery` (with the likely mend) or `issuer`
 */
export async function discover(fetch: GuardedFetch, issuer: string): Promise<Discovery> {
  const { response, body } = await fetchDocument(fetch, issuer);
  const named = z.object({ issuer: z.string() }).safeParse(body);
  // Exactly, character for character (section 4.3): otherwise a document of one issuer speaks for another.
  if (named.success && named.data.issuer !== issuer) throw otherIssuer(issuer, named.data.issuer);
  const parsed = discoveryDocument.safeParse(body);
  if (!parsed.success) {
    const members = [...new Set(parsed.error.issues.map(({ path }) => String(path[0] ?? 'the whole')))];
    throw new ProviderFailure('discovery', {
      received: `a discovery document with ${members.join(', ')} missing or malformed`,
      expected: 'issuer, authorization_endpoint, token_endpoint and jwks_uri',
      mend: 'Check that this is the issuer of an OpenID Connect provider, or type the endpoints by hand.',
    });
  }
  const document = parsed.data;
  const date = Date.parse(response.headers.get('date') ?? '');
  return {
    providerTime: Number.isNaN(date) ? undefined : date,
    metadata: {
      issuer: document.issuer,
      authorizationEndpoint: document.authorization_endpoint,
      tokenEndpoint: document.token_endpoint,
      jwksUri: document.jwks_uri,
      userinfoEndpoint: document.userinfo_endpoint,
      endSessionEndpoint: document.end_session_endpoint,
      // Absent, these are the defaults of section 3.
      tokenEndpointAuthMethodsSupported: document.token_endpoint_auth_methods_supported ?? [
        'client_secret_basic',
      ],
      scopesSupported: document.scopes_supported ?? [],
      idTokenSigningAlgValuesSupported: document.id_token_signing_alg_values_supported ?? ['RS256'],
      authorizationResponseIssParameterSupported:
        document.authorization_response_iss_parameter_supported ?? false,
      codeChallengeMethodsSupported: document.code_challenge_methods_supported,
    },
  };
}

async function fetchDocument(fetch: GuardedFetch, issuer: string) {
  let response: Response;
  try {
    if (/[?#]/.test(issuer)) {
      throw new FetchFailure('url', {
        received: 'an issuer with a query or a fragment',
        expected: 'an issuer without them',
        mend: 'Take everything from the "?" or "#" on away.',
      });
    }
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    response = await fetch(url, { headers: { accept: 'application/json' } });
  } catch (error) {
    if (!(error instanceof FetchFailure)) throw error;
    const refused = ['url', 'scheme', 'address'].includes(error.reason);
    throw new ProviderFailure(refused ? 'url' : 'discovery', error, error);
  }
  if (response.status !== 200) {
    throw new ProviderFailure('discovery', {
      received: `status ${response.status} from ${new URL(issuer).host} for the discovery document`,
      expected: 'status 200',
      mend: likelyMend(issuer),
    });
  }
  try {
    const body: unknown = await response.json();
    return { response, body };
  } catch (error) {
    const texts = {
      received: `an answer of ${new URL(issuer).host} that is not JSON`,
      expected: 'the discovery document as JSON',
      mend: likelyMend(issuer),
    };
    throw new ProviderFailure('discovery', texts, error);
  }
}

function otherIssuer(issuer: string, received: string): ProviderFailure {
  const shown = received.slice(0, 300);
  const sameHost = URL.parse(received)?.host === new URL(issuer).host;
  return new ProviderFailure('issuer', {
    received: `a discovery document of the issuer "${shown}"`,
    expected: `"${issuer}", exactly`,
    mend: received.includes('{tenantid}')
      ? 'Give the issuer of your tenant: https://login.microsoftonline.com/YOUR_TENANT_ID/v2.0.'
      : sameHost
        ? `Enter "${shown}" as the issuer, with just this path and trailing slash.`
        : `Check whether "${shown}" is the issuer you mean; if so, enter it.`,
  });
}

/** Where people usually have to go who entered this. */
function likelyMend(issuer: string): string {
  const { hostname, host, pathname } = new URL(issuer);
  const bare = pathname === '/' || pathname === '';
  if (/\.(okta|oktapreview|okta-emea)\.com$/.test(hostname) && bare) {
    return `Give the authorization server's issuer, not the bare domain: https://${host}/oauth2/default.`;
  }
  if (hostname === 'login.microsoftonline.com') {
    return 'Give the issuer of your tenant: https://login.microsoftonline.com/YOUR_TENANT_ID/v2.0.';
  }
  if (bare) {
    return "Give the authorization server's issuer, not the bare domain: for Okta https://your_okta_domain.okta.com/oauth2/default, for Keycloak https://your_host/realms/your_realm.";
  }
  return 'Check the path of the issuer, or type the endpoints by hand.';
}
