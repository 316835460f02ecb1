import type { AppDocument } from '@tessera/contract';
import type { App, AppFields, AppSecret } from './app.ts';

/** An app as the wire shows it: what is not set is null there. */
export function appDocument(app: App, secrets: readonly AppSecret[]): AppDocument {
  const { redirectProjects, linkedProjects, jwks, about: _, documentFreshUntil: __, ...fields } = app;
  return {
    ...fields,
    redirectUris: [...app.redirectUris],
    redirectProjects: redirectProjects.map((one) => ({ ...one, environments: [...one.environments] })),
    postLogoutRedirectUris: [...app.postLogoutRedirectUris],
    backchannelLogoutUri: app.backchannelLogoutUri ?? null,
    scopes: [...app.scopes],
    permissions: [...app.permissions],
    grantTypes: [...app.grantTypes],
    tokenEndpointAuthMethods: [...app.tokenEndpointAuthMethods],
    tokenEndpointAuthSigningAlg: app.tokenEndpointAuthSigningAlg ?? null,
    jwks: jwks === undefined ? null : { keys: jwks.keys.map((key) => ({ ...key })) },
    jwksUri: app.jwksUri ?? null,
    linkedProjects: linkedProjects.map((one) => ({ ...one, environments: [...one.environments] })),
    userinfoSignedResponseAlg: app.userinfoSignedResponseAlg ?? null,
    resources: [...app.resources],
    protectedResources: [...app.protectedResources],
    logo: app.logo ?? null,
    expiresAt: app.expiresAt ?? null,
    secrets: secrets.map(secretDocument),
  };
}

export function secretDocument(secret: AppSecret) {
  return { ...secret, expiresAt: secret.expiresAt ?? null, lastUsedAt: secret.lastUsedAt ?? null };
}

type Body = { [Field in keyof AppFields]?: AppFields[Field] | null | undefined };

/** The fields that were sent; null takes a value away. */
export function appFieldsOf(body: Body): Partial<AppFields> {
  const sent = Object.entries(body).filter(([, value]) => value !== undefined);
  const fields = Object.fromEntries(
    sent.map(([name, value]) => [name, withoutRepetition(value ?? undefined)]),
  );
  return fields;
}

// URLs that are there twice are refused with words instead (app-rules).
function withoutRepetition(value: unknown): unknown {
  const isWords = Array.isArray(value) && value.every((one) => typeof one === 'string' && !one.includes('/'));
  return isWords ? [...new Set(value)] : value;
}
