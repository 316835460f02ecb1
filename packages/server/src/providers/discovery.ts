import { z } from 'zod';
import {
  endpointNames,
  ProviderFailure,
  type Connector,
  type ProviderMetadata,
  type ProviderStep,
} from '#connectors';
import { FetchFailure, type GuardedFetch } from '#fetch';
import { mendOf, mendOfOtherIssuer } from './likely-mend.ts';

const httpUrl = z.string().refine((value) => URL.parse(value) !== null, 'expected a URL');
const words = z.array(z.string());

// OpenID Connect Discovery 1.0 section 3 and RFC 8414 section 2, as far as they are used here; other members may be
// there.
const members = {
  issuer: z.string(),
  authorization_endpoint: httpUrl,
  token_endpoint: httpUrl,
  userinfo_endpoint: httpUrl.optional(),
  end_session_endpoint: httpUrl.optional(),
  token_endpoint_auth_methods_supported: words.optional(),
  token_endpoint_auth_signing_alg_values_supported: words.optional(),
  scopes_supported: words.optional(),
  id_token_signing_alg_values_supported: words.optional(),
  authorization_response_iss_parameter_supported: z.boolean().optional(),
  code_challenge_methods_supported: words.optional(),
};
const discoveryDocuments = {
  oidc: z.object({ ...members, jwks_uri: httpUrl }),
  // An authorization server without OpenID Connect may have no keys, and seldom names its userinfo.
  oauth2: z.object({ ...members, jwks_uri: httpUrl.optional() }),
};

export type Discovery = {
  metadata: ProviderMetadata;
  /** The provider's clock as its answer told it, milliseconds since the epoch. */
  providerTime: number | undefined;
};

/** What is asked: an issuer, as what. */
export type Discovered = Pick<Connector, 'issuer' | 'type'>;

/**
 * Fetches and validates an issuer's discovery document.
 *
 * @throws ProviderFailure with the likely mend, at `url`, `address`, `dns`, `connection`, `tls`, `http`, `document`,
 * `issuer` or `endpoints`
 */
export async function discover(fetch: GuardedFetch, asked: Discovered): Promise<Discovery> {
  const { issuer, type } = asked;
  const { response, body } = await fetchDocument(fetch, asked);
  const named = z.object({ issuer: z.string() }).safeParse(body);
  if (!named.success) {
    throw new ProviderFailure('document', {
      received: `an answer of ${new URL(issuer).host} without an issuer in it`,
      expected: 'a discovery document',
      mend: mendOf(asked),
    });
  }
  // Exactly, character for character (section 4.3): otherwise a document of one issuer speaks for another.
  if (named.data.issuer !== issuer) throw otherIssuer(issuer, named.data.issuer);
  const parsed = discoveryDocuments[type].safeParse(body);
  if (!parsed.success) {
    const missing = [...new Set(parsed.error.issues.map(({ path }) => String(path[0] ?? 'the whole')))];
    throw new ProviderFailure('endpoints', {
      received: `a discovery document with ${missing.join(', ')} missing or malformed`,
      expected: Object.entries(discoveryDocuments[type].shape)
        .filter(([, schema]) => !(schema instanceof z.ZodOptional))
        .map(([name]) => name)
        .join(', '),
      mend: 'Check that this is the issuer of such a provider, or type the endpoints by hand.',
    });
  }
  const metadata = toMetadata(parsed.data);
  validateAddresses(fetch, metadata);
  const date = Date.parse(response.headers.get('date') ?? '');
  return { metadata, providerTime: Number.isNaN(date) ? undefined : date };
}

function toMetadata(document: z.output<(typeof discoveryDocuments)['oauth2']>): ProviderMetadata {
  return {
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
    tokenEndpointAuthSigningAlgValuesSupported: document.token_endpoint_auth_signing_alg_values_supported,
    scopesSupported: document.scopes_supported ?? [],
    idTokenSigningAlgValuesSupported: document.id_token_signing_alg_values_supported ?? ['RS256'],
    authorizationResponseIssParameterSupported:
      document.authorization_response_iss_parameter_supported ?? false,
    codeChallengeMethodsSupported: document.code_challenge_methods_supported,
  };
}

/** A provider can name what it likes; where the fetcher would not go is said now and not at the first sign-in. */
function validateAddresses(fetch: GuardedFetch, metadata: ProviderMetadata): void {
  for (const name of endpointNames) {
    const url = metadata[name];
    if (url === undefined) continue;
    try {
      fetch.validate(url);
    } catch (error) {
      if (!(error instanceof FetchFailure)) throw error;
      throw new ProviderFailure(
        'endpoints',
        {
          received: `${name} in the discovery document: ${error.received}`,
          expected: error.expected,
          mend: error.mend,
        },
        error,
      );
    }
  }
}

/** Where the document stands: OpenID Connect appends, RFC 8414 section 3.1 inserts before the path. */
function addressesOf({ issuer, type }: Discovered): readonly string[] {
  const appended = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  if (type === 'oidc') return [appended];
  const { origin, pathname } = new URL(issuer);
  return [`${origin}/.well-known/oauth-authorization-server${pathname.replace(/\/$/, '')}`, appended];
}

async function fetchDocument(fetch: GuardedFetch, asked: Discovered) {
  const { issuer } = asked;
  if (/[?#]/.test(issuer)) {
    throw new ProviderFailure('url', {
      received: 'an issuer with a query or a fragment',
      expected: 'an issuer without them',
      mend: 'Take everything from the "?" or "#" on away.',
    });
  }
  if (issuer.includes('/.well-known/')) {
    throw new ProviderFailure('url', {
      received: 'the address of a discovery document',
      expected: 'the issuer, which the document names',
      mend: `Give what stands before it: ${issuer.slice(0, issuer.indexOf('/.well-known/'))}`,
    });
  }
  let failure: ProviderFailure | undefined;
  for (const url of addressesOf(asked)) {
    try {
      return await readDocument(fetch, url, asked);
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error;
      failure ??= error;
      // Another path of the same host tells nothing new unless this one answered.
      if (error.step !== 'http' && error.step !== 'document') break;
    }
  }
  throw failure ?? new Error('an issuer has at least one address');
}

async function readDocument(fetch: GuardedFetch, url: string, asked: Discovered) {
  const { host } = new URL(url);
  let response: Response;
  try {
    response = await fetch(url, { headers: { accept: 'application/json' } });
  } catch (error) {
    if (!(error instanceof FetchFailure)) throw error;
    throw new ProviderFailure(stepOf(error), withMend(error, asked), error);
  }
  if (response.status !== 200) {
    throw new ProviderFailure('http', {
      received: `status ${response.status} from ${host} for the discovery document`,
      expected: 'status 200',
      mend: mendOf(asked),
    });
  }
  try {
    const body: unknown = await response.json();
    return { response, body };
  } catch (error) {
    const texts = {
      received: `an answer of ${host} that is not JSON`,
      expected: 'the discovery document as JSON',
      mend: mendOf(asked),
    };
    throw new ProviderFailure('document', texts, error);
  }
}

const stepOfReason: Record<FetchFailure['reason'], ProviderStep> = {
  url: 'url',
  scheme: 'url',
  address: 'address',
  unresolvable: 'dns',
  unreachable: 'connection',
  timeout: 'connection',
  tls: 'tls',
  redirect: 'http',
  too_large: 'document',
  encoding: 'document',
};

/** Which step of reaching a provider a failed fetch is. */
export function stepOf({ reason }: FetchFailure): ProviderStep {
  return stepOfReason[reason];
}

/** A host that answers, only not with this, was mistaken for the issuer. */
function withMend(failure: FetchFailure, asked: Discovered) {
  const { received, expected, mend } = failure;
  return { received, expected, mend: failure.reason === 'redirect' ? mendOf(asked) : mend };
}

function otherIssuer(issuer: string, received: string): ProviderFailure {
  const shown = received.slice(0, 300);
  return new ProviderFailure('issuer', {
    received: `a discovery document of the issuer "${shown}"`,
    expected: `"${issuer}", exactly`,
    mend: mendOfOtherIssuer(issuer, received, shown),
  });
}
