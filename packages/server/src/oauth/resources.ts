import { isWithin, parseScope } from '@tessera/protocol';
import type { App } from '#apps';
import { oauthError } from '#errors';
import type { TokenReach } from '#tokens';

const mostResources = 10;

/** Parameters that may be sent more than once (RFC 8707, 2). */
export const repeatableParameters = ['resource'];

/**
 * The resource servers that an authorization is asked for (RFC 8707, 2): registered ones, or our own API, which any
 * app may name. The parameter may be repeated; its values come joined by spaces, which no URI contains. Throws
 * OAuthError `invalid_target`.
 */
export function parseResources(
  sent: ReadonlyMap<string, string>,
  app: Pick<App, 'resources'>,
  api: string,
): string[] {
  const resources = resourcesOf(sent);
  const stranger = resources.find((resource) => resource !== api && !app.resources.includes(resource));
  if (stranger !== undefined) {
    throw oauthError(
      'invalid_target',
      `Parameter 'resource'. It is not registered for this app: '${shown(stranger)}'`,
    );
  }
  return resources;
}

/**
 * What one access token is asked for, within what was granted: scopes and resource servers may only narrow. Absent
 * means all. Throws OAuthError `invalid_scope` or `invalid_target`.
 */
export function parseReach(form: ReadonlyMap<string, string>, granted: TokenReach, api: string): TokenReach {
  const scopes = parseScope(form.get('scope') ?? '');
  if (scopes === undefined) throw oauthError('invalid_scope', "Parameter 'scope'. Malformed");
  if (!isWithin(scopes, granted.scopes)) {
    throw oauthError(
      'invalid_scope',
      `Parameter 'scope'. Scopes may only narrow: granted were '${granted.scopes.join(' ')}'`,
    );
  }
  const resources = resourcesOf(form);
  // A grant that names none is for our own API.
  const grantedResources = granted.resources.length === 0 ? [api] : granted.resources;
  const stranger = resources.find((resource) => !grantedResources.includes(resource));
  if (stranger !== undefined) {
    throw oauthError(
      'invalid_target',
      `Parameter 'resource'. The authorization was not for '${shown(stranger)}'`,
    );
  }
  return {
    scopes: scopes.length === 0 ? granted.scopes : scopes,
    resources: resources.length === 0 ? granted.resources : resources,
  };
}

function resourcesOf(sent: ReadonlyMap<string, string>): string[] {
  const resources = [...new Set((sent.get('resource') ?? '').split(' ').filter((one) => one !== ''))];
  if (resources.length > mostResources) {
    throw oauthError('invalid_target', `Parameter 'resource'. More than ${mostResources} resources`);
  }
  return resources;
}

function shown(value: string): string {
  return value.slice(0, 200).replaceAll(/[^\x20-\x7e]/g, '?');
}
