/** The values that the authorization server knows, by the registries' names. */
export const responseTypes = ['code'] as const;
/** The popup's mode (draft-meyerzuselha-oauth-web-message-response-mode): the answer is posted to the opener. */
export const webMessageResponseMode = 'web_message.opener';
export const responseModes = ['query', 'form_post', webMessageResponseMode] as const;
export type ResponseMode = (typeof responseModes)[number];

export const deviceCodeGrantType = 'urn:ietf:params:oauth:grant-type:device_code';
/** RFC 8693: open to whoever holds a token, so it is no app's to register. */
export const tokenExchangeGrantType = 'urn:ietf:params:oauth:grant-type:token-exchange';
/** Token type identifiers (RFC 8693, 3). */
export const jwtTokenType = 'urn:ietf:params:oauth:token-type:jwt';
export const idTokenTokenType = 'urn:ietf:params:oauth:token-type:id_token';
export const accessTokenTokenType = 'urn:ietf:params:oauth:token-type:access_token';
export const grantTypes = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  deviceCodeGrantType,
] as const;
export type GrantType = (typeof grantTypes)[number];

export const tokenEndpointAuthMethods = [
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
  'private_key_jwt',
  'none',
] as const;
export type TokenEndpointAuthMethod = (typeof tokenEndpointAuthMethods)[number];

/** What an app can be registered with: also methods that the token endpoint does not serve yet. */
export const appAuthMethods = [
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
  'private_key_jwt',
  'workload_token',
  'none',
] as const;
export type AppAuthMethod = (typeof appAuthMethods)[number];

/** `client_assertion_type` of a JWT (RFC 7523, 2.2). */
export const clientAssertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** Algorithms of client assertions: HS256 is `client_secret_jwt`, the others `private_key_jwt`. */
export const clientAssertionAlgorithms = ['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'] as const;
export type ClientAssertionAlgorithm = (typeof clientAssertionAlgorithms)[number];

export const codeChallengeMethods = ['S256'] as const;

export const idTokenSigningAlgorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const;
export type IdTokenSigningAlgorithm = (typeof idTokenSigningAlgorithms)[number];

export const prompts = ['none', 'login', 'consent', 'select_account'] as const;
export type Prompt = (typeof prompts)[number];

export function isPrompt(value: string): value is Prompt {
  return (prompts as readonly string[]).includes(value);
}

export function isResponseMode(value: string): value is ResponseMode {
  return (responseModes as readonly string[]).includes(value);
}

export function isGrantType(value: string): value is GrantType {
  return (grantTypes as readonly string[]).includes(value);
}
