/** The values that the authorization server knows, by the registries' names. */
export const responseTypes = ['code'] as const;
export const responseModes = ['query', 'form_post'] as const;
export type ResponseMode = (typeof responseModes)[number];

export const grantTypes = ['authorization_code', 'refresh_token', 'client_credentials'] as const;
export type GrantType = (typeof grantTypes)[number];

export const tokenEndpointAuthMethods = ['client_secret_basic', 'client_secret_post', 'none'] as const;
export type TokenEndpointAuthMethod = (typeof tokenEndpointAuthMethods)[number];

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
