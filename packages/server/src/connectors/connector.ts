import { ProviderFailure } from './provider-failure.ts';

/** A team's registration at its identity provider. The secret is not part of it: it is opened only to be sent. */
export type Connector = {
  id: string;
  teamId: string;
  name: string;
  type: 'oidc';
  issuer: string;
  clientId: string;
  hasClientSecret: boolean;
  tokenEndpointAuthMethod: 'client_secret_basic' | 'client_secret_post' | 'none';
  authorizationEndpoint: string;
  tokenEndpoint: string;
  jwksUri: string;
  userinfoEndpoint: string | undefined;
  endSessionEndpoint: string | undefined;
  scopes: readonly string[];
  /** Claims beyond e-mail and name that the deployment gets to see, by their names at the provider. */
  forwardedClaims: readonly string[];
  /** The provider gives refresh tokens, and a session asks it again and again whether the visitor still may. */
  usesRefreshTokens: boolean;
  /** What an ID token may be signed with. Fixed when saving; a token never chooses. */
  idTokenSigningAlgorithms: readonly string[];
  /** RFC 9207: the provider names itself in its answer, so an answer that does not is refused. */
  authorizationResponseIssParameterSupported: boolean;
  createdAt: number;
  updatedAt: number;
};

/** What a provider says of itself (OpenID Connect Discovery 1.0 section 3), already checked against its issuer. */
export type ProviderMetadata = {
  issuer: string;
  authorizationEndpoint: string;
  tokenEndpoint: string;
  jwksUri: string;
  userinfoEndpoint: string | undefined;
  endSessionEndpoint: string | undefined;
  tokenEndpointAuthMethodsSupported: readonly string[];
  scopesSupported: readonly string[];
  idTokenSigningAlgValuesSupported: readonly string[];
  authorizationResponseIssParameterSupported: boolean;
  /** Undefined when the provider does not say. */
  codeChallengeMethodsSupported: readonly string[] | undefined;
};

/** Signatures that only the provider can make. Neither `none` nor the HMACs, whose key the registration shares. */
export const signatureAlgorithms: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** Claims of the visitor token that are ours or always there: none of them can be forwarded on top. */
export const reservedClaims: ReadonlySet<string> = new Set(
  (
    'iss sub aud exp nbf iat jti typ scope sid host nonce at_hash c_hash owner owner_id project project_id ' +
    'environment deployment_id connector_id external_sub external_iss email email_verified name'
  ).split(' '),
);

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
 * RFC 9700 section 4.4). An endpoint shares the issuer's origin, or the issuer's own discovery names it.
 *
 * @throws ProviderFailure at step `endpoints`
 */
export function validateEndpoints(
  issuer: string,
  endpoints: Endpoints,
  metadata: Endpoints | undefined,
): void {
  const { origin } = new URL(issuer);
  for (const name of endpointNames) {
    const endpoint = endpoints[name];
    if (endpoint === undefined || new URL(endpoint).origin === origin || metadata?.[name] === endpoint)
      continue;
    throw new ProviderFailure('endpoints', {
      received: `${name} at ${new URL(endpoint).origin}`,
      expected: metadata?.[name]
        ? `${metadata[name]}, as the issuer's discovery names it, or an address at ${origin}`
        : `an address at ${origin}, the origin of the issuer`,
      mend: 'Give the endpoints of one authorization server: leave them out to have them discovered, or correct the issuer.',
    });
  }
}

/** The algorithms that ID tokens may have, by what the provider offers. @throws ProviderFailure at `algorithms` */
export function chooseAlgorithms(metadata: ProviderMetadata): readonly string[] {
  const usable = metadata.idTokenSigningAlgValuesSupported.filter((algorithm) =>
    signatureAlgorithms.includes(algorithm),
  );
  if (usable.length > 0) return usable;
  throw new ProviderFailure('algorithms', {
    received: metadata.idTokenSigningAlgValuesSupported.join(', ') || 'no algorithm',
    expected: `one of ${signatureAlgorithms.join(', ')}`,
    mend: 'Let the identity provider sign ID tokens with RS256 or ES256.',
  });
}

/** Scopes as they are asked for: `openid` first, whatever was given; `profile email` when nothing was. */
export function withOpenid(scopes: readonly string[] | undefined): readonly string[] {
  return [...new Set(['openid', ...(scopes ?? ['profile', 'email'])])];
}
