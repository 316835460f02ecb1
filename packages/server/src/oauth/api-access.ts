import type { Permission } from '@tessera/contract';
import { isBuiltIn, type Apps } from '#apps';
import type { Tokens } from '#tokens';
import { permissionsOf } from './authorization/permissions.ts';
import { needsNonce } from './proof.ts';

/** An access token of a person's, as our own API understands it. */
export type ApiAccess = {
  /** The app's id. */
  clientId: string;
  userId: string;
  /** The team that the person granted permissions in. */
  teamId: string | undefined;
  permissions: ReadonlySet<Permission> | 'role';
  /** The key that it is bound to. */
  dpopJkt: string | undefined;
  /** Its proofs must carry the server's nonce. */
  needsDpopNonce: boolean;
};

export type FindApiAccess = (accessToken: string) => Promise<ApiAccess | undefined>;

/**
 * What an access token may do at our API: what the person allowed and what the app may still ask for, in the one team
 * that they chose; the command line's, what the person may, in all of theirs. Their present role is the asker's business. Undefined for a token that is not in force, is an
 * app's own, or is for another resource server.
 */
export function createApiAccess(needs: {
  tokens: Pick<Tokens, 'findAccessToken'>;
  apps: Pick<Apps, 'findRemembered'>;
}): FindApiAccess {
  return async (accessToken) => {
    const token = await needs.tokens.findAccessToken(accessToken);
    if (token?.userId === undefined || !token.isForUs) return undefined;
    const app = await needs.apps.findRemembered(token.clientId);
    if (app === undefined) return undefined;
    return {
      clientId: token.clientId,
      userId: token.userId,
      teamId: token.grantedTeamId,
      permissions: isBuiltIn(app)
        ? 'role'
        : new Set(permissionsOf(token.scopes).filter((one) => app.permissions.includes(one))),
      dpopJkt: token.dpopJkt,
      needsDpopNonce: needsNonce(app),
    };
  };
}
