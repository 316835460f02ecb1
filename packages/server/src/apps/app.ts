import {
  identityScopes,
  redirectUriProblem,
  type GrantType,
  type IdTokenSigningAlgorithm,
  type IdentityScope,
  type TokenEndpointAuthMethod,
} from '@tessera/protocol';
import { publicError } from '#errors';

/** An OAuth client registered by a team. Times are milliseconds since the epoch. */
export type App = {
  /** The `client_id`. */
  id: string;
  teamId: string;
  /** Unique in the instance, whatever its letter case: it is what people trust on the consent page. */
  name: string;
  slug: string;
  redirectUris: readonly string[];
  postLogoutRedirectUris: readonly string[];
  backchannelLogoutUri: string | undefined;
  scopes: readonly IdentityScope[];
  tokenEndpointAuthMethods: readonly TokenEndpointAuthMethod[];
  /** `team`: only members of the owning team may sign in. */
  signInAccess: 'anyone' | 'team';
  idTokenSignedResponseAlg: IdTokenSigningAlgorithm;
  /** False is the legacy switch of a confidential app; a public app always needs PKCE. */
  requirePkce: boolean;
  /** Skips consent; set by instance administrators alone. */
  firstParty: boolean;
  createdAt: number;
  updatedAt: number;
};

/** What a team decides about its app. */
export type AppFields = Omit<App, 'id' | 'teamId' | 'firstParty' | 'createdAt' | 'updatedAt'>;

/** A secret as it may be shown after its making. */
export type AppSecret = {
  id: string;
  /** The last four characters, to tell two secrets apart. */
  last4: string;
  createdAt: number;
  expiresAt: number | undefined;
  lastUsedAt: number | undefined;
};

/** Anybody can present a public app's id: it has no secret to prove itself with (RFC 6749, 2.1). */
export function isPublicApp(app: Pick<App, 'tokenEndpointAuthMethods'>): boolean {
  return app.tokenEndpointAuthMethods.includes('none');
}

/** The grants an app may use: a public one cannot act for itself (RFC 6749, 4.4). */
export function grantTypesOf(app: Pick<App, 'tokenEndpointAuthMethods'>): readonly GrantType[] {
  return isPublicApp(app)
    ? ['authorization_code', 'refresh_token']
    : ['authorization_code', 'refresh_token', 'client_credentials'];
}

/** Two names with one key look alike to a person. */
export function appNameKey(name: string): string {
  return name.normalize('NFKC').trim().replaceAll(/\s+/g, ' ').toLowerCase();
}

/** A slug to begin with, from the name: `Acme Shop!` becomes `acme-shop`. */
export function slugFromName(name: string): string {
  const slug = name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 80);
  return slug === '' ? 'app' : slug;
}

/**
 * The rules over an app's fields. Throws `invalid_app`, saying which value of which field was received and what is
 * expected instead.
 */
export function validateApp(fields: AppFields): void {
  for (const [field, uris] of [
    ['redirectUris', fields.redirectUris],
    ['postLogoutRedirectUris', fields.postLogoutRedirectUris],
  ] as const) {
    for (const uri of uris) validateUri(field, uri);
    const repeated = uris.find((uri, index) => uris.indexOf(uri) !== index);
    if (repeated !== undefined)
      throw invalidApp(field, `"${repeated}" is there twice.`, 'List each URL once.');
  }
  const { backchannelLogoutUri } = fields;
  if (backchannelLogoutUri !== undefined) {
    validateUri('backchannelLogoutUri', backchannelLogoutUri);
    if (!/^https?:/.test(backchannelLogoutUri)) {
      throw invalidApp('backchannelLogoutUri', `Received "${backchannelLogoutUri}".`, 'Give an https URL.');
    }
  }
  const stranger = fields.scopes.find((scope) => !identityScopes.includes(scope));
  if (stranger !== undefined) {
    throw invalidApp(
      'scopes',
      `Received "${String(stranger)}".`,
      `Use some of ${identityScopes.join(', ')}.`,
    );
  }
  if (!fields.requirePkce && isPublicApp(fields)) {
    throw invalidApp(
      'requirePkce',
      'PKCE cannot be optional for an app that authenticates with "none": nothing else would protect its codes.',
      'Leave requirePkce true, or take "none" out of tokenEndpointAuthMethods.',
    );
  }
}

function validateUri(field: string, uri: string): void {
  const problem = redirectUriProblem(uri);
  if (problem !== undefined) {
    throw invalidApp(field, `"${uri.slice(0, 200)}" cannot be registered: ${problem.reason}.`, problem.mend);
  }
}

export function invalidApp(field: string, reason: string, mend: string) {
  return publicError('invalid_app', { description: `${field}: ${reason}`, mend });
}
