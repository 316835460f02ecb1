import { isAppPermission, permissions, type Permission } from '@tessera/contract';
import {
  appAuthMethods,
  clientAssertionAlgorithms,
  formatScope,
  identityScopes,
  idTokenSigningAlgorithms,
  parseScope,
  redirectUriProblem,
  type GrantType,
} from '@tessera/protocol';
import type { App, AppAbout, SelfRegistration } from '#apps';
import { oauthError, type OAuthError } from '#errors';

/** What a client sends about itself (RFC 7591, 2; OpenID Connect Dynamic Registration 1.0, 2): members by name. */
export type ClientMetadata = Readonly<Record<string, unknown>>;

const servedGrants: readonly GrantType[] = ['authorization_code', 'refresh_token'];
const servedMethods = appAuthMethods.filter((method) => method !== 'workload_token');
const mostUris = 20;
const longestText = 200;

/**
 * Translates metadata into the fields of an app. What we do not know or serve is left out, as RFC 7591 section 2
 * wants it, and the answer shows what was registered; what is wrong, or would be weaker than what was asked for, is
 * refused. Throws OAuthError `invalid_redirect_uri` or `invalid_client_metadata`.
 */
export function parseClientMetadata(metadata: ClientMetadata): SelfRegistration {
  const redirectUris = parseRedirectUris(metadata);
  refuseUnserved(metadata);
  const grantTypes = parseGrantTypes(metadata);
  const method = oneOf(metadata, 'token_endpoint_auth_method', servedMethods) ?? 'client_secret_basic';
  const jwksUri = text(metadata, 'jwks_uri', 2_000);
  if (jwksUri !== undefined) validateWebUri('jwks_uri', jwksUri);
  const backchannelLogoutUri = text(metadata, 'backchannel_logout_uri', 2_000);
  if (backchannelLogoutUri !== undefined) validateWebUri('backchannel_logout_uri', backchannelLogoutUri);
  return {
    fields: {
      name: parseName(metadata, redirectUris),
      redirectUris,
      postLogoutRedirectUris: parseUris(metadata, 'post_logout_redirect_uris'),
      backchannelLogoutUri,
      scopes: parseScopes(metadata, grantTypes),
      permissions: parsePermissions(metadata),
      grantTypes,
      tokenEndpointAuthMethods: [method],
      tokenEndpointAuthSigningAlg: oneOf(
        metadata,
        'token_endpoint_auth_signing_alg',
        clientAssertionAlgorithms,
      ),
      jwks: parseKeySet(metadata),
      jwksUri,
      signInAccess: 'anyone',
      idTokenSignedResponseAlg:
        oneOf(metadata, 'id_token_signed_response_alg', idTokenSigningAlgorithms) ?? 'RS256',
      userinfoSignedResponseAlg: oneOf(metadata, 'userinfo_signed_response_alg', idTokenSigningAlgorithms),
      requirePushedAuthorizationRequests: flag(metadata, 'require_pushed_authorization_requests') ?? false,
      dpopBoundAccessTokens: flag(metadata, 'dpop_bound_access_tokens') ?? false,
      // Ours alone: the switch of old libraries that know no PKCE. The app's rules refuse it for public clients.
      requirePkce: flag(metadata, 'require_pkce') ?? true,
      // The same, of libraries that write the token endpoint into their assertions (OpenID Connect Core, 9).
      strictAssertionAudience: flag(metadata, 'strict_assertion_audience') ?? true,
    },
    about: parseAbout(metadata),
  };
}

/** An app as client metadata: what is registered, whatever was asked for (RFC 7591, 3.2.1). */
export function clientMetadataOf(app: App): Record<string, unknown> {
  const { about } = app;
  const all: Record<string, unknown> = {
    client_id: app.id,
    client_id_issued_at: Math.floor(app.createdAt / 1000),
    client_name: app.name,
    redirect_uris: app.redirectUris,
    post_logout_redirect_uris: app.postLogoutRedirectUris,
    backchannel_logout_uri: app.backchannelLogoutUri,
    response_types: ['code'],
    grant_types: app.grantTypes,
    scope: formatScope([...app.scopes, ...app.permissions]),
    token_endpoint_auth_method: app.tokenEndpointAuthMethods[0],
    token_endpoint_auth_signing_alg: app.tokenEndpointAuthSigningAlg,
    jwks: app.jwks,
    jwks_uri: app.jwksUri,
    id_token_signed_response_alg: app.idTokenSignedResponseAlg,
    userinfo_signed_response_alg: app.userinfoSignedResponseAlg,
    subject_type: 'public',
    require_pushed_authorization_requests: app.requirePushedAuthorizationRequests,
    dpop_bound_access_tokens: app.dpopBoundAccessTokens,
    require_pkce: app.requirePkce,
    strict_assertion_audience: app.strictAssertionAudience,
    client_uri: about.clientUri,
    logo_uri: about.logoUri,
    policy_uri: about.policyUri,
    tos_uri: about.tosUri,
    contacts: about.contacts,
    software_id: about.softwareId,
    software_version: about.softwareVersion,
    sector_identifier_uri: about.sectorIdentifierUri,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function parseRedirectUris(metadata: ClientMetadata): string[] {
  const uris = metadata['redirect_uris'];
  if (!isTexts(uris) || uris.length === 0 || uris.length > mostUris) {
    throw oauthError(
      'invalid_redirect_uri',
      `'redirect_uris'. Required: an array of 1 to ${mostUris} absolute URIs`,
    );
  }
  for (const uri of uris) {
    const problem = redirectUriProblem(uri);
    if (problem === undefined) continue;
    throw oauthError(
      'invalid_redirect_uri',
      `'redirect_uris'. '${shown(uri)}' cannot be registered: ${problem.reason}. ${problem.mend}`,
    );
  }
  return [...new Set(uris)];
}

function parseUris(metadata: ClientMetadata, name: string): string[] {
  const uris = metadata[name] ?? [];
  if (!isTexts(uris) || uris.length > mostUris) {
    throw invalid(name, `Expected an array of at most ${mostUris} absolute URIs`);
  }
  for (const uri of uris) {
    const problem = redirectUriProblem(uri);
    if (problem !== undefined) {
      throw invalid(name, `'${shown(uri)}' cannot be registered: ${problem.reason}. ${problem.mend}`);
    }
  }
  return [...new Set(uris)];
}

/** What would make the answers weaker or other than the client takes them for, if it were passed over. */
function refuseUnserved(metadata: ClientMetadata): void {
  const subjectType = metadata['subject_type'] ?? 'public';
  if (subjectType !== 'public') throw invalid('subject_type', "Expected 'public'");
  const responseTypes = metadata['response_types'] ?? ['code'];
  if (!isTexts(responseTypes) || !responseTypes.includes('code')) {
    throw invalid('response_types', "Expected an array with 'code'");
  }
  const encrypted = Object.keys(metadata).find((name) =>
    /_encrypt(?:ed_response|ion)_(?:alg|enc)$/.test(name),
  );
  if (encrypted !== undefined) throw invalid(encrypted, 'Encryption is not served. Leave it out');
}

function parseGrantTypes(metadata: ClientMetadata): GrantType[] {
  const asked = metadata['grant_types'] ?? ['authorization_code'];
  if (!isTexts(asked) || !asked.includes('authorization_code')) {
    throw invalid('grant_types', "Expected an array with 'authorization_code'");
  }
  return servedGrants.filter((grant) => asked.includes(grant));
}

/** A refresh token is issued only for `offline_access`, and only to a client that may use it. */
function parseScopes(
  metadata: ClientMetadata,
  grantTypes: readonly GrantType[],
): (typeof identityScopes)[number][] {
  const scope = text(metadata, 'scope', 1_000);
  const asked = scope === undefined ? undefined : parseScope(scope);
  if (scope !== undefined && asked === undefined) throw invalid('scope', 'It is malformed');
  const possible = identityScopes.filter(
    (name) => name !== 'offline_access' || grantTypes.includes('refresh_token'),
  );
  const chosen = possible.filter((name) => asked === undefined || asked.includes(name));
  return chosen.length === 0 ? possible : chosen;
}

/**
 * What it may ask people to let it do at our API: only what it names itself, and only reading. An app that is to
 * change something, a team answers for.
 */
function parsePermissions(metadata: ClientMetadata): Permission[] {
  const asked = parseScope(text(metadata, 'scope', 1_000) ?? '') ?? [];
  return permissions.filter(
    (permission) => permission.endsWith(':read') && isAppPermission(permission) && asked.includes(permission),
  );
}

/** What people read as its name: no control or direction characters, which could make it look like another. */
function parseName(metadata: ClientMetadata, redirectUris: readonly string[]): string {
  const given = text(metadata, 'client_name', longestText) ?? '';
  const name = given
    .normalize('NFC')
    .replaceAll(/[\p{Cc}\p{Cf}]/gu, '')
    .trim()
    .slice(0, 100);
  const first = URL.parse(redirectUris[0] ?? '');
  return name === '' ? first?.host || first?.protocol || 'app' : name;
}

function parseAbout(metadata: ClientMetadata): AppAbout {
  const about: Record<string, unknown> = {};
  for (const [field, name] of [
    ['clientUri', 'client_uri'],
    ['logoUri', 'logo_uri'],
    ['policyUri', 'policy_uri'],
    ['tosUri', 'tos_uri'],
    ['sectorIdentifierUri', 'sector_identifier_uri'],
  ] as const) {
    const uri = text(metadata, name, 2_000);
    if (uri === undefined) continue;
    validateWebUri(name, uri);
    about[field] = uri;
  }
  for (const [field, name] of [
    ['softwareId', 'software_id'],
    ['softwareVersion', 'software_version'],
  ] as const) {
    const value = text(metadata, name, longestText);
    if (value !== undefined) about[field] = value;
  }
  const contacts = metadata['contacts'];
  if (contacts !== undefined && contacts !== null) {
    if (!isTexts(contacts) || contacts.length > 10 || contacts.some(({ length }) => length > longestText)) {
      throw invalid('contacts', `Expected an array of at most 10 texts of at most ${longestText} characters`);
    }
    about['contacts'] = contacts;
  }
  return about;
}

/** Only what a browser opens as a page: never `javascript:`, `data:` and their like. */
function validateWebUri(name: string, uri: string): void {
  const parsed = /^[\x21-\x7e]+$/.test(uri) ? URL.parse(uri) : null;
  const isWeb = parsed !== null && ['https:', 'http:'].includes(parsed.protocol);
  if (!isWeb || parsed.username !== '' || parsed.password !== '') {
    throw invalid(name, `Expected an https URL, received '${shown(uri)}'`);
  }
}

function parseKeySet(metadata: ClientMetadata): App['jwks'] {
  const jwks = metadata['jwks'];
  if (jwks === undefined || jwks === null) return undefined;
  const keys: unknown = typeof jwks === 'object' && 'keys' in jwks ? jwks.keys : undefined;
  const isSet =
    Array.isArray(keys) &&
    keys.length > 0 &&
    keys.length <= 20 &&
    keys.every((key) => typeof key === 'object' && key !== null && !Array.isArray(key));
  if (!isSet) throw invalid('jwks', 'Expected a key set with 1 to 20 keys (RFC 7517, 5)');
  return { keys: keys as Record<string, unknown>[] };
}

function text(metadata: ClientMetadata, name: string, most: number): string | undefined {
  const value = metadata[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string' || value.length > most) {
    throw invalid(name, `Expected a text of at most ${most} characters`);
  }
  return value;
}

function flag(metadata: ClientMetadata, name: string): boolean | undefined {
  const value = metadata[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'boolean') throw invalid(name, 'Expected true or false');
  return value;
}

function oneOf<Word extends string>(
  metadata: ClientMetadata,
  name: string,
  words: readonly Word[],
): Word | undefined {
  const value = text(metadata, name, longestText);
  if (value === undefined) return undefined;
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  throw invalid(name, `Expected ${words.map((word) => `'${word}'`).join(' | ')}, received '${shown(value)}'`);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string' && one.length <= 2_000);
}

function invalid(name: string, reason: string): OAuthError {
  return oauthError('invalid_client_metadata', `'${name}'. ${reason}`);
}

function shown(value: string): string {
  return value.slice(0, 100).replaceAll(/[^\x20-\x7e]/g, '?');
}
