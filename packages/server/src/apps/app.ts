import { isDeepStrictEqual } from 'node:util';
import type { Permission } from '@tessera/contract';
import type {
  AppAuthMethod,
  ClientAssertionAlgorithm,
  GrantType,
  IdentityScope,
  IdTokenSigningAlgorithm,
} from '@tessera/protocol';

/** What a team decides about its app. */
export type AppFields = {
  /** Unique in the instance, whatever its letter case: it is what people trust on the consent page. */
  name: string;
  slug: string;
  redirectUris: readonly string[];
  /** Callbacks with a fixed path, on the hosts of projects of the team. */
  redirectProjects: readonly RedirectProject[];
  postLogoutRedirectUris: readonly string[];
  backchannelLogoutUri: string | undefined;
  scopes: readonly IdentityScope[];
  /** What it may ask people to let it do at the REST API, in one team that they choose. */
  permissions: readonly Permission[];
  grantTypes: readonly GrantType[];
  tokenEndpointAuthMethods: readonly AppAuthMethod[];
  /** The one algorithm of its client assertions; undefined: any that the server takes. */
  tokenEndpointAuthSigningAlg: ClientAssertionAlgorithm | undefined;
  /** Public keys of its client assertions, or where they are published; never both. */
  jwks: KeySet | undefined;
  jwksUri: string | undefined;
  /** Projects of the team whose workload tokens are client assertions of it. */
  linkedProjects: readonly LinkedProject[];
  /** `team`: only members of the owning team may sign in. */
  signInAccess: 'anyone' | 'team';
  /** Of ID tokens, and of access tokens that are JWTs. */
  idTokenSignedResponseAlg: IdTokenSigningAlgorithm;
  /** Userinfo answers as a JWT with this algorithm; undefined: as JSON (OpenID Connect Core 5.3.2). */
  userinfoSignedResponseAlg: IdTokenSigningAlgorithm | undefined;
  accessTokenFormat: 'opaque' | 'jwt';
  /** Resource servers that it may ask access tokens for (RFC 8707). */
  resources: readonly string[];
  /** Resource servers that it is: it may introspect tokens for them, of apps of its team. */
  protectedResources: readonly string[];
  /** False only when its tokens are bound to a key. */
  rotateRefreshTokens: boolean;
  /** False is the legacy switch of a confidential app; a public app always needs PKCE. */
  requirePkce: boolean;
  /** False is the legacy switch of old libraries: assertions may be for the token endpoint, or for several. */
  strictAssertionAudience: boolean;
  /** RFC 9126, 6. */
  requirePushedAuthorizationRequests: boolean;
  /** RFC 9449, 5.2. */
  dpopBoundAccessTokens: boolean;
  securityProfile: 'standard' | 'fapi2';
  /** Takes answers in a popup (`response_mode=web_message.opener`). */
  webMessage: boolean;
};

/** What a client says about itself when it registers itself: shown as text, never fetched, never linked to. */
export type AppAbout = {
  clientUri?: string;
  logoUri?: string;
  policyUri?: string;
  tosUri?: string;
  contacts?: readonly string[];
  softwareId?: string;
  softwareVersion?: string;
  sectorIdentifierUri?: string;
};

/** The team of apps that no team registered: no team has it as its id, so nobody is a member of it. */
export const unownedTeamId = '';

/** An OAuth client. Times are milliseconds since the epoch. */
export type App = AppFields & {
  /** The `client_id`. */
  id: string;
  /** `unownedTeamId` when it registered itself, or is built in. */
  teamId: string;
  /** Path of the uploaded logo at the origin. */
  logo: string | undefined;
  /** Skips consent; set by instance administrators alone. */
  firstParty: boolean;
  /** How it came about: an app that nobody of us registered is unverified; the command line is built in. */
  registration: 'dashboard' | 'dynamic' | 'metadata-document' | 'built-in';
  /** When a dynamic registration ends. */
  expiresAt: number | undefined;
  about: AppAbout;
  /** Until then its metadata document need not be read again. */
  documentFreshUntil: number | undefined;
  createdAt: number;
  updatedAt: number;
};

export type RedirectProject = { projectId: string; path: string; environments: readonly string[] };
export type LinkedProject = { projectId: string; environments: readonly string[] };
export type KeySet = { keys: readonly Readonly<Record<string, unknown>>[] };

/** A secret as it may be shown after its making. */
export type AppSecret = {
  id: string;
  /** The last four characters, to tell two secrets apart. */
  last4: string;
  createdAt: number;
  expiresAt: number | undefined;
  lastUsedAt: number | undefined;
};

/** What a team need not decide: the safe choice of each. */
export const defaultAppFields = {
  redirectProjects: [],
  postLogoutRedirectUris: [],
  backchannelLogoutUri: undefined,
  permissions: [],
  grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
  tokenEndpointAuthSigningAlg: undefined,
  jwks: undefined,
  jwksUri: undefined,
  linkedProjects: [],
  idTokenSignedResponseAlg: 'RS256',
  userinfoSignedResponseAlg: undefined,
  accessTokenFormat: 'opaque',
  resources: [],
  protectedResources: [],
  rotateRefreshTokens: true,
  requirePkce: true,
  strictAssertionAudience: true,
  requirePushedAuthorizationRequests: false,
  dpopBoundAccessTokens: false,
  securityProfile: 'standard',
  webMessage: false,
} as const satisfies Partial<AppFields>;

/** What only a registration without a team fills. */
export const noClaims = { about: {}, documentFreshUntil: undefined } as const satisfies Partial<App>;

/** The fields that a registration must bring, and those that it may. */
export type NewAppFields = Partial<AppFields> &
  Pick<AppFields, 'name' | 'redirectUris' | 'scopes' | 'tokenEndpointAuthMethods' | 'signInAccess'>;

/** Anybody can present a public app's id: it has no secret to prove itself with (RFC 6749, 2.1). */
export function isPublicApp(app: Pick<App, 'tokenEndpointAuthMethods'>): boolean {
  return app.tokenEndpointAuthMethods.includes('none');
}

/** The grants an app may use: a public one cannot act for itself (RFC 6749, 4.4). */
export function grantTypesOf(
  app: Pick<App, 'tokenEndpointAuthMethods' | 'grantTypes'>,
): readonly GrantType[] {
  return app.grantTypes.filter((grant) => grant !== 'client_credentials' || !isPublicApp(app));
}

/** What an instance administrator looked at before they marked an app: how it proves itself, and what it can get. */
const markedFields = [
  'redirectUris',
  'redirectProjects',
  'scopes',
  'permissions',
  'resources',
  'grantTypes',
  'tokenEndpointAuthMethods',
  'tokenEndpointAuthSigningAlg',
  'jwks',
  'jwksUri',
  'linkedProjects',
] as const satisfies (keyof AppFields)[];

/** The changed fields for which a marked app loses its mark; none for an app that has no mark to lose. */
export function changesUnderMark(before: App, after: App): (keyof AppFields)[] {
  if (!before.firstParty || !after.firstParty) return [];
  return markedFields.filter((field) => !isDeepStrictEqual(before[field], after[field]));
}

/** Whether somebody of the instance answers for what the app says about itself. */
export function isVerifiedApp(app: Pick<App, 'registration'>): boolean {
  return app.registration === 'dashboard' || app.registration === 'built-in';
}

/** Whether it is the command line of this instance, whose logins stand for their person. */
export function isBuiltIn(app: Pick<App, 'registration'>): boolean {
  return app.registration === 'built-in';
}

/**
 * Two names with one key look alike to a person. An unverified app's name is never shown as if it were trusted, so
 * any number may share one.
 */
export function appNameKey({ id, name, registration }: Pick<App, 'id' | 'name' | 'registration'>): string {
  if (!isVerifiedApp({ registration })) return id;
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
