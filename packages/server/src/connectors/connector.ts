import { signatureAlgorithms } from '#remote-keys';
import { ProviderFailure } from './provider-failure.ts';

/** A team's registration at its identity provider. The secret is not part of it: it is opened only to be sent. */
export type Connector = {
  id: string;
  teamId: string;
  name: string;
  /** `oauth2`: no ID token; the person is who userinfo says. */
  type: 'oidc' | 'oauth2';
  issuer: string;
  clientId: string;
  hasClientSecret: boolean;
  /** Milliseconds since the epoch; undefined without a secret. */
  clientSecretSetAt: number | undefined;
  tokenEndpointAuthMethod: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none';
  /** Whom a client assertion is for, where the connector proves itself by key. */
  clientAssertionAudience: 'issuer' | 'token_endpoint';
  authorizationEndpoint: string;
  tokenEndpoint: string;
  /** Undefined where there is no ID token to verify. */
  jwksUri: string | undefined;
  userinfoEndpoint: string | undefined;
  endSessionEndpoint: string | undefined;
  /** The claim that names the person; `sub` with OpenID Connect. */
  subjectClaim: string;
  scopes: readonly string[];
  /** Claims beyond e-mail and name that the deployment gets to see, by their names at the provider. */
  forwardedClaims: readonly string[];
  /** The provider gives refresh tokens, and a session asks it again and again whether the visitor still may. */
  usesRefreshTokens: boolean;
  /** Visitors come back at an address of this connector alone. */
  usesOwnRedirectUri: boolean;
  /** What an ID token may be signed with. Fixed when saving; a token never chooses. */
  idTokenSigningAlgorithms: readonly string[];
  /** RFC 9207: the provider names itself in its answer, so an answer that does not is refused. */
  authorizationResponseIssParameterSupported: boolean;
  /** When the provider last accepted the client, to the minute. */
  credentialsUsedAt: number | undefined;
  createdAt: number;
  updatedAt: number;
};

/** What a provider says of itself (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2), held against its issuer. */
export type ProviderMetadata = {
  issuer: string;
  authorizationEndpoint: string;
  tokenEndpoint: string;
  jwksUri: string | undefined;
  userinfoEndpoint: string | undefined;
  endSessionEndpoint: string | undefined;
  tokenEndpointAuthMethodsSupported: readonly string[];
  /** Undefined when the provider does not say. */
  tokenEndpointAuthSigningAlgValuesSupported: readonly string[] | undefined;
  scopesSupported: readonly string[];
  idTokenSigningAlgValuesSupported: readonly string[];
  authorizationResponseIssParameterSupported: boolean;
  /** Undefined when the provider does not say. */
  codeChallengeMethodsSupported: readonly string[] | undefined;
};

/** Claims of the visitor token that are ours or always there: none of them can be forwarded on top. */
export const reservedClaims: ReadonlySet<string> = new Set(
  (
    'iss sub aud exp nbf iat jti typ scope sid host nonce at_hash c_hash owner owner_id project project_id ' +
    'environment deployment_id connector_id external_sub external_iss email email_verified name __proto__'
  ).split(' '),
);

/** What every connector may have registered; one with an address of its own has only that. */
export function redirectUriOf(
  connectUrl: string,
  connector: Pick<Connector, 'id' | 'usesOwnRedirectUri'>,
): string {
  return connector.usesOwnRedirectUri ? ownRedirectUriOf(connectUrl, connector) : `${connectUrl}/callback`;
}

export function ownRedirectUriOf(connectUrl: string, { id }: Pick<Connector, 'id'>): string {
  return `${connectUrl}/callback/${id}`;
}

export const endpointNames = [
  'authorizationEndpoint',
  'tokenEndpoint',
  'jwksUri',
  'userinfoEndpoint',
  'endSessionEndpoint',
] as const;
export type Endpoints = Pick<ProviderMetadata, (typeof endpointNames)[number]>;

/**
 * Refuses endpoints of another authorization server: a code or a secret sent there would be lost to it (mix-up,
 * RFC 9700 section 4.4). An endpoint shares the issuer's origin, or the issuer's own discovery names it. Providers that
 * speak only OAuth 2.0 have their userinfo at an API (`api.github.com`), so that one may be below the issuer's host.
 *
 * @throws ProviderFailure at step `endpoints`
 */
export function validateEndpoints(
  { type, issuer }: Pick<Connector, 'type' | 'issuer'>,
  endpoints: Endpoints,
  metadata: Endpoints | undefined,
): void {
  const { origin } = new URL(issuer);
  for (const name of endpointNames) {
    const endpoint = endpoints[name];
    if (endpoint === undefined || new URL(endpoint).origin === origin || metadata?.[name] === endpoint)
      continue;
    if (type === 'oauth2' && name === 'userinfoEndpoint' && isBelow(endpoint, issuer)) continue;
    throw new ProviderFailure('endpoints', {
      received: `${name} at ${new URL(endpoint).origin}`,
      expected: metadata?.[name]
        ? `${metadata[name]}, as the issuer's discovery names it, or an address at ${origin}`
        : `an address at ${origin}, the origin of the issuer`,
      mend: 'Give the endpoints of one authorization server: leave them out to have them discovered, or correct the issuer.',
    });
  }
}

/** Over https and on the same port: whoever has the issuer's name has the names below it. */
function isBelow(endpoint: string, issuer: string): boolean {
  const [below, above] = [new URL(endpoint), new URL(issuer)];
  return (
    below.protocol === 'https:' &&
    above.protocol === 'https:' &&
    below.port === above.port &&
    above.hostname.includes('.') &&
    below.hostname.endsWith(`.${above.hostname}`)
  );
}

/** The algorithms that ID tokens may have, by what the provider offers. @throws ProviderFailure at `algorithms` */
export function chooseAlgorithms(
  metadata: Pick<ProviderMetadata, 'idTokenSigningAlgValuesSupported'>,
): readonly string[] {
  const usable = metadata.idTokenSigningAlgValuesSupported.filter((algorithm) =>
    signatureAlgorithms.includes(algorithm),
  );
  if (usable.length > 0) return usable;
  throw new ProviderFailure('algorithms', {
    received: metadata.idTokenSigningAlgValuesSupported.join(', ').slice(0, 200) || 'no algorithm',
    expected: `one of ${signatureAlgorithms.join(', ')}`,
    mend: 'Let the identity provider sign ID tokens with RS256 or ES256.',
  });
}

/**
 * Scopes as they are asked for. OpenID Connect: `openid` first, whatever was given; `profile email` when nothing was.
 * OAuth 2.0 has no scopes that every provider knows: those that were given.
 */
export function scopesOf(type: Connector['type'], scopes: readonly string[] | undefined): readonly string[] {
  if (type === 'oauth2') return [...new Set(scopes)];
  return [...new Set(['openid', ...(scopes ?? ['profile', 'email'])])];
}

/**
 * Okta and Microsoft Entra ID document the token endpoint as the audience of an assertion; all others that we know
 * take the issuer, which RFC 7523 as revised makes the only right one.
 */
export function chooseAssertionAudience(issuer: string): Connector['clientAssertionAudience'] {
  const { hostname } = new URL(issuer);
  const wantsTokenEndpoint = isOktaHost(hostname) || isEntraHost(hostname);
  return wantsTokenEndpoint ? 'token_endpoint' : 'issuer';
}

export function isOktaHost(hostname: string): boolean {
  return /\.(okta|oktapreview|okta-emea|okta-gov)\.com$/.test(hostname);
}

export function isEntraHost(hostname: string): boolean {
  return (
    /^login\.(microsoftonline\.(com|us)|partner\.microsoftonline\.cn)$/.test(hostname) ||
    hostname.endsWith('.ciamlogin.com')
  );
}
