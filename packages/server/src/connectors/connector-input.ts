import type { createConnectorBody, updateConnectorBody } from '@tessera/contract';
import type { output } from 'zod';
import { publicError } from '#errors';
import { reservedClaims, type Connector, type ProviderMetadata } from './connector.ts';

export type CreateInput = output<typeof createConnectorBody>;
export type UpdateInput = output<typeof updateConnectorBody>;

/** What does not go together is said, not stored. */
export function validateKind(input: CreateInput): void {
  const refuse = (description: string, mend: string) =>
    publicError('connector_refused', { description, mend });
  if (input.type === 'oauth2' && input.jwksUri !== undefined) {
    throw refuse(
      'Received jwksUri with type "oauth2". Expected none.',
      'Without OpenID Connect there is no ID token to verify: leave jwksUri out, or say type "oidc".',
    );
  }
  if (input.type === 'oidc' && input.subjectClaim !== undefined && input.subjectClaim !== 'sub') {
    throw refuse(
      `Received subjectClaim "${input.subjectClaim}". Expected "sub".`,
      'An OpenID Connect provider names a person by "sub"; leave subjectClaim out.',
    );
  }
  const reserved = input.forwardedClaims?.filter((claim) => reservedClaims.has(claim)) ?? [];
  if (reserved.length > 0) {
    throw refuse(
      `Received ${reserved.join(', ')} in forwardedClaims.`,
      "These names mean something of their own in the visitor token (the provider's sub is there as external_sub); leave them out.",
    );
  }
}

export function chooseAuthMethod(
  input: CreateInput,
  metadata: ProviderMetadata | undefined,
): Connector['tokenEndpointAuthMethod'] {
  const offered = metadata?.tokenEndpointAuthMethodsSupported ?? [];
  const preferred =
    offered.includes('client_secret_post') && !offered.includes('client_secret_basic')
      ? 'client_secret_post'
      : 'client_secret_basic';
  const method = input.tokenEndpointAuthMethod ?? preferred;
  const needsSecret = method === 'client_secret_basic' || method === 'client_secret_post';
  if (needsSecret === (input.clientSecret !== undefined)) return method;
  throw publicError('connector_refused', {
    description: needsSecret
      ? `Received no clientSecret. Expected one for tokenEndpointAuthMethod "${method}".`
      : `Received, or kept, a clientSecret with tokenEndpointAuthMethod "${method}". Expected none.`,
    mend: needsSecret
      ? 'Give the client secret from the identity provider; to authenticate by key say tokenEndpointAuthMethod "private_key_jwt", for a public client "none".'
      : 'Leave clientSecret out; for a connector that has one send "clientSecret": null with the change.',
  });
}

type MixUpFacts = Pick<
  Connector,
  'type' | 'tokenEndpointAuthMethod' | 'authorizationResponseIssParameterSupported'
>;

/**
 * Whether a code that was led elsewhere is enough to be somebody: the provider does not name itself in its answers, and
 * neither a client secret nor the nonce of an ID token stands in the way (RFC 9700 section 4.4).
 */
function needsOwnRedirectUri(connector: MixUpFacts): boolean {
  if (connector.authorizationResponseIssParameterSupported) return false;
  return connector.type === 'oauth2' || connector.tokenEndpointAuthMethod === 'none';
}

/** Where it is needed, it is the default and not refused; what was saved without it before goes on. */
export function chooseOwnRedirectUri(input: CreateInput, after: MixUpFacts, before?: Connector): boolean {
  const isNeeded = needsOwnRedirectUri(after);
  const chosen = input.usesOwnRedirectUri ?? isNeeded;
  const wasSo = before !== undefined && !before.usesOwnRedirectUri && needsOwnRedirectUri(before);
  if (chosen || !isNeeded || wasSo) return chosen;
  throw publicError('connector_refused', {
    description: `Received usesOwnRedirectUri false for a connector of ${
      after.type === 'oauth2' ? 'type "oauth2"' : 'tokenEndpointAuthMethod "none"'
    } whose provider does not name itself in its answers (RFC 9207). Expected true.`,
    mend: "Say usesOwnRedirectUri: true, and register the connector's ownRedirectUri at the provider: another provider could have visitors' answers brought to it otherwise.",
  });
}

/** The kept fields and the new ones as one input. A new issuer takes its own endpoints. */
export function mergeUpdate(
  before: Connector,
  input: UpdateInput,
  clientSecret: string | null | undefined,
): CreateInput {
  const moved = input.issuer !== undefined && input.issuer !== before.issuer;
  const kept = moved ? undefined : before;
  const authMethod = input.tokenEndpointAuthMethod ?? kept?.tokenEndpointAuthMethod;
  return {
    name: input.name ?? before.name,
    type: before.type,
    issuer: input.issuer ?? before.issuer,
    clientId: input.clientId ?? before.clientId,
    clientSecret: clientSecret ?? undefined,
    tokenEndpointAuthMethod: authMethod,
    clientAssertionAudience: input.clientAssertionAudience ?? kept?.clientAssertionAudience,
    authorizationEndpoint: input.authorizationEndpoint ?? kept?.authorizationEndpoint,
    tokenEndpoint: input.tokenEndpoint ?? kept?.tokenEndpoint,
    jwksUri: input.jwksUri === undefined ? kept?.jwksUri : (input.jwksUri ?? undefined),
    userinfoEndpoint:
      input.userinfoEndpoint === undefined ? kept?.userinfoEndpoint : (input.userinfoEndpoint ?? undefined),
    endSessionEndpoint:
      input.endSessionEndpoint === undefined
        ? kept?.endSessionEndpoint
        : (input.endSessionEndpoint ?? undefined),
    subjectClaim: input.subjectClaim ?? before.subjectClaim,
    scopes: input.scopes ?? [...before.scopes],
    forwardedClaims: input.forwardedClaims ?? [...before.forwardedClaims],
    usesRefreshTokens: input.usesRefreshTokens ?? before.usesRefreshTokens,
    usesOwnRedirectUri: input.usesOwnRedirectUri ?? before.usesOwnRedirectUri,
  };
}

/**
 * The secret is write-only, so it must not be drawn out by sending it elsewhere: who changes where it goes knows it.
 */
export function refuseMovedSecret(
  before: Connector,
  after: Pick<Connector, 'issuer' | 'tokenEndpoint'>,
): void {
  if (before.issuer === after.issuer && before.tokenEndpoint === after.tokenEndpoint) return;
  throw publicError('connector_refused', {
    description: 'Received another issuer or token endpoint without the client secret.',
    mend: 'Give clientSecret again: the stored one is only ever sent to the address it was given for.',
  });
}
