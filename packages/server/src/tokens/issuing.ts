import type { Audit } from '#audit';
import type { Bound } from '#database';
import type { AccessTokenStore } from './access-token-store.ts';
import type { AccessTokenForm, AccessTokens } from './access-token.ts';
import { accessTokenLifetimeSeconds, type TokenFamily, type TokenReach } from './token.ts';

/** In answer to which request something happens to tokens: what the audit record says. */
export type TokenContext = { teamId: string; reference: string };

/** For whom a token is issued and how it is made. */
export type IssueContext = TokenContext & {
  /** The app's: what its access tokens are made as. */
  form: AccessTokenForm;
  /** The key that the request proved (RFC 9449): its access token is bound to it. */
  dpopJkt?: string | undefined;
};

export type IssuedTokens = {
  accessToken: string;
  tokenType: 'Bearer' | 'DPoP';
  /** Seconds. */
  expiresIn: number;
  scopes: readonly string[];
  refreshToken?: string;
};

/** An access token, the hash that it is stored under, and the statements that store it and put it on the record. */
export type PreparedAccess = { accessToken: string; hash: string; statements: readonly Bound<unknown>[] };

export type PrepareAccess = (
  action: string,
  family: TokenFamily,
  reach: TokenReach,
  context: IssueContext,
) => Promise<PreparedAccess>;

/** Prepares access tokens of families, for the unit that issues them. */
export function createPrepareAccess(needs: {
  accessTokens: Pick<AccessTokens, 'create'>;
  accessStore: Pick<AccessTokenStore, 'insert'>;
  audit: Pick<Audit, 'record'>;
}): PrepareAccess {
  return async (action, family, reach, context) => {
    const { clientId } = family;
    const { dpopJkt } = context;
    const { accessToken, hash, jti } = await needs.accessTokens.create(
      { clientId, family, reach, dpopJkt },
      context.form,
    );
    const statements = [
      needs.accessStore.insert({ hash, clientId, reach, dpopJkt, family }),
      needs.audit.record({
        actor: clientId,
        action,
        object: family.id,
        teamId: context.teamId,
        after: { jti, userId: family.userId, ...reach },
        reference: context.reference,
      }),
    ];
    return { accessToken, hash, statements };
  };
}

export function issued(
  accessToken: string,
  { scopes }: TokenReach,
  refreshToken: string | undefined,
  { dpopJkt }: IssueContext,
): IssuedTokens {
  return {
    accessToken,
    tokenType: dpopJkt === undefined ? 'Bearer' : 'DPoP',
    expiresIn: accessTokenLifetimeSeconds,
    scopes,
    ...(refreshToken === undefined ? {} : { refreshToken }),
  };
}
