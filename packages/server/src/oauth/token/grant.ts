import { formatScope, type GrantType } from '@tessera/protocol';
import type { App } from '#apps';
import type { IssueContext, IssuedTokens } from '#tokens';

/** A request at the token endpoint whose client has been authenticated and may use this grant. */
export type TokenRequest = {
  client: App;
  form: ReadonlyMap<string, string>;
  /** For whatever is issued: it holds the key that the request proved, so it is handed on whole. */
  context: IssueContext;
};

export type GrantedTokens = IssuedTokens & { idToken?: string };

/** What differs between the grants: from a validated request to tokens, or an OAuthError. */
export type Grant = {
  readonly grantType: GrantType;
  issue(request: TokenRequest): Promise<GrantedTokens>;
};

/** A request that no client stands behind: what it holds proves itself. */
export type OpenTokenRequest = {
  form: ReadonlyMap<string, string>;
  reference: string;
  clientAddress: string;
};

/** A grant that anybody may use who holds what it asks for (RFC 8693, 2.1); it answers in its own shape. */
export type OpenGrant = {
  readonly grantType: string;
  answer(request: OpenTokenRequest): Promise<Record<string, unknown>>;
};

/** RFC 6749 5.1, OpenID Connect Core 3.1.3.3. */
export function tokenAnswer(tokens: GrantedTokens): Record<string, unknown> {
  return {
    access_token: tokens.accessToken,
    token_type: tokens.tokenType,
    expires_in: tokens.expiresIn,
    ...(tokens.refreshToken === undefined ? {} : { refresh_token: tokens.refreshToken }),
    ...(tokens.idToken === undefined ? {} : { id_token: tokens.idToken }),
    scope: formatScope(tokens.scopes),
  };
}
