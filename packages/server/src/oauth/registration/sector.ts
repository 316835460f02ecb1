import type { SelfRegistration } from '#apps';
import { oauthError } from '#errors';
import { FetchFailure, type GuardedFetch } from '#fetch';

/** Throws OAuthError `invalid_client_metadata`. */
export type VerifySector = (registration: SelfRegistration) => Promise<void>;

/**
 * OpenID Connect Dynamic Registration 1.0, 5: the document at `sector_identifier_uri` lists every redirect URI of the
 * client. Our subjects are public, so the sector changes nothing; a false one is refused all the same.
 */
export function createVerifySector({ fetch }: { fetch: GuardedFetch }): VerifySector {
  return async ({ fields, about }) => {
    const uri = about.sectorIdentifierUri;
    if (uri === undefined) return;
    const refuse = (reason: string, cause?: unknown) =>
      oauthError('invalid_client_metadata', `'sector_identifier_uri'. ${reason}`, { cause });
    let listed: unknown;
    try {
      const response = await fetch(uri, { headers: { accept: 'application/json' } });
      if (response.status !== 200) throw refuse(`It answers ${response.status}; expected 200`);
      listed = await response.json();
    } catch (error) {
      if (error instanceof FetchFailure) throw refuse(`It cannot be read: ${error.message}`, error);
      if (error instanceof SyntaxError) throw refuse('It is not JSON', error);
      throw error;
    }
    const missing = Array.isArray(listed)
      ? fields.redirectUris.find((redirectUri) => !listed.includes(redirectUri))
      : fields.redirectUris[0];
    if (missing !== undefined) throw refuse('It does not list every one of the redirect_uris');
  };
}
