import type { Permission } from '@tessera/contract';
import type { Dpop } from '#dpop';
import { OAuthError, publicError, type PublicError } from '#errors';
import type { Caller, DoorContext } from '#http';
import { protectedResourceUrl } from './protected-resource.ts';

/** A caller, and what the guard alone needs to know of the token. */
export type Authority = {
  caller: Caller;
  /** Projects for which permissions hold that are given per project. */
  projectIds: readonly string[];
  /** Until then the login behind the token counts as a fresh one. */
  freshUntil: number;
};

export type PresentedApiToken = {
  id: string;
  userId: string;
  teamId: string | undefined;
  permissions: 'role' | readonly Permission[];
  projectIds: readonly string[];
  builds: readonly { projectId: string; environment: string }[];
  freshUntil: number;
};

/** What a trust policy gives, within its one team. */
export type PresentedTrust = {
  policyId: string;
  teamId: string;
  permissions: readonly Permission[];
  projectIds: readonly string[];
  builds: readonly { projectId: string; environment: string }[];
  grantRevision?: number | undefined;
};

/** An access token of an app, with the permissions that app and consent have in common; `role`: the command line's. */
export type PresentedAccessToken = {
  /** The app's id. */
  clientId: string;
  userId: string;
  /** The team that the person granted for; undefined: none, so the token is for the person's own profile alone. */
  teamId: string | undefined;
  permissions: ReadonlySet<Permission> | 'role';
  /** The key that it is bound to (RFC 9449); undefined for a bearer token. */
  dpopJkt: string | undefined;
  /** Its proofs must carry the server's nonce. */
  needsDpopNonce: boolean;
};

export type CallerNeeds = {
  authenticateApiToken: (token: string) => Promise<PresentedApiToken | undefined>;
  /** What an outside workload may do whose token was taken. */
  authenticateTrusted?: ((token: string) => Promise<PresentedTrust | undefined>) | undefined;
  findAccessToken?: ((token: string) => Promise<PresentedAccessToken | undefined>) | undefined;
  /** Throws OAuthError 401 unless the sender proves the key that the token is bound to. */
  verifySender: Dpop['verifySender'];
  findUser: (id: string) => Promise<{ id: string; disabledAt: number | undefined } | undefined>;
  /** The base URL of the api role, as the realm of the challenge. */
  api: string;
};

// RFC 6750 section 2.1: b64token; RFC 9449 section 7.1.
const authorizationForm = /^(Bearer|DPoP) +([A-Za-z0-9\-._~+/]+=*) *$/i;

/** Says who calls, by the token in the Authorization header alone. Throws `unauthorized` (401). */
export function createCallerReader(needs: CallerNeeds) {
  const { authenticateApiToken, findAccessToken, findUser, api } = needs;
  return async (context: DoorContext): Promise<Authority> => {
    const header = context.req.header('authorization');
    if (header === undefined || header === '') {
      throw unauthorized(api, 'The call carries no token.', undefined);
    }
    const [, scheme, token] = authorizationForm.exec(header) ?? [];
    if (scheme === undefined || token === undefined) {
      throw unauthorized(
        api,
        'The Authorization header does not have the form "Bearer …".',
        'invalid_request',
      );
    }
    const isBearer = scheme.toLowerCase() === 'bearer';
    const authority =
      (isBearer ? ((await readApiToken(token)) ?? (await readTrusted(token))) : undefined) ??
      (await readAccessToken(scheme, token, context));
    if (authority === undefined) {
      throw unauthorized(api, 'The token is unknown, expired or revoked.', 'invalid_token');
    }
    if (authority.caller.kind === 'trust-policy') return authority;
    const user = await findUser(authority.caller.userId);
    if (user === undefined || user.disabledAt !== undefined) {
      throw unauthorized(
        api,
        'The person that the token belongs to cannot log in any more.',
        'invalid_token',
      );
    }
    return authority;
  };

  /** RFC 9449 section 7: a bound token comes with a proof of its key, and no other token with one. */
  async function verifySender(
    scheme: string,
    accessToken: string,
    found: PresentedAccessToken,
    context: DoorContext,
  ): Promise<void> {
    try {
      await needs.verifySender({
        scheme,
        accessToken,
        boundTo: found.dpopJkt,
        proof: context.req.header('dpop'),
        method: context.req.method,
        url: addressOf(api, context),
        needsNonce: found.needsDpopNonce,
      });
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      const { description, headers } = error;
      throw publicError('unauthorized', { description: `${description}.`, headers, cause: error });
    }
  }

  async function readApiToken(token: string): Promise<Authority | undefined> {
    const found = await authenticateApiToken(token);
    if (found === undefined) return undefined;
    const { id, userId, teamId, permissions, builds, projectIds, freshUntil } = found;
    return {
      caller: {
        kind: 'api-token',
        id,
        userId,
        teamId,
        permissions: permissions === 'role' ? 'role' : new Set(permissions),
        builds,
      },
      projectIds,
      // A list is what programs are given to keep: no login stands behind it.
      freshUntil: permissions === 'role' ? freshUntil : 0,
    };
  }

  async function readTrusted(token: string): Promise<Authority | undefined> {
    const found = await needs.authenticateTrusted?.(token);
    if (found === undefined) return undefined;
    const { policyId, teamId, permissions, projectIds, builds, grantRevision } = found;
    return {
      caller: {
        kind: 'trust-policy',
        id: policyId,
        userId: policyId,
        teamId,
        permissions: new Set(permissions),
        builds,
        grantRevision,
      },
      projectIds,
      // No login stands behind it.
      freshUntil: 0,
    };
  }

  async function readAccessToken(
    scheme: string,
    token: string,
    context: DoorContext,
  ): Promise<Authority | undefined> {
    const found = await findAccessToken?.(token);
    if (found === undefined) return undefined;
    await verifySender(scheme, token, found, context);
    const { clientId, userId, teamId, permissions } = found;
    return {
      caller: { kind: 'access-token', id: clientId, userId, teamId, permissions, builds: [] },
      projectIds: [],
      // An app goes on working when the person has left: it is never fresh.
      freshUntil: 0,
    };
  }
}

/** The address that was called, as we publish it. */
function addressOf(api: string, context: DoorContext): string {
  return `${new URL(api).origin}${new URL(context.req.url).pathname}`;
}

/** RFC 6750 section 3: a challenge names an error only when a token was presented. */
function unauthorized(
  api: string,
  description: string,
  error: 'invalid_request' | 'invalid_token' | undefined,
): PublicError {
  // RFC 9728 section 5.1: where a program finds out who issues tokens.
  const metadata = `resource_metadata="${protectedResourceUrl(api)}"`;
  const challenge =
    error === undefined
      ? `Bearer realm="${api}", ${metadata}`
      : `Bearer realm="${api}", ${metadata}, error="${error}", error_description="${description.replaceAll('"', "'").replaceAll(/[^\x20-\x7e]/g, '.')}"`;
  return publicError('unauthorized', { description, headers: { 'www-authenticate': challenge } });
}
