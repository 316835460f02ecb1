import { createHmac } from 'node:crypto';
import { formatOpaqueToken, randomBase62, type WireNames } from '@tessera/protocol';
import type { Database } from '#database';
import { oauthError } from '#errors';
import { hashSecret } from '#sealing';
import {
  issued,
  type IssueContext,
  type IssuedTokens,
  type PrepareAccess,
  type TokenContext,
} from './issuing.ts';
import type { RefreshToken, RevocationReason, TokenFamily, TokenReach } from './token.ts';
import type { TokenStore } from './token-store.ts';

export type RefreshNeeds = {
  database: Pick<Database, 'tryWrite'>;
  store: TokenStore;
  prepareAccess: PrepareAccess;
  endFamily: (family: TokenFamily, reason: RevocationReason, context: TokenContext) => Promise<void>;
  wire: WireNames;
};

export function createRefresh({ database, store, prepareAccess, endFamily, wire }: RefreshNeeds) {
  /** The first use of a refresh token: undefined when another use was first or the family has ended meanwhile. */
  async function tryFirstUse(
    presented: string,
    token: RefreshToken,
    reach: TokenReach,
    context: IssueContext,
  ) {
    const salt = randomBase62(22);
    const refreshToken = deriveSuccessor(presented, salt);
    const successorHash = hashSecret(refreshToken);
    const { family } = token;
    const access = await prepareAccess('refresh-token.rotate', family, reach, context);
    const outcome = await database.tryWrite([
      store.touchFamily(family.id),
      store.markUsed(token.id, salt, successorHash),
      store.insertRefresh({ hash: successorHash, familyId: family.id, accessHash: access.hash }),
      ...access.statements,
    ]);
    return outcome.committed ? issued(access.accessToken, reach, refreshToken, context) : undefined;
  }

  /** The same successor again, with a fresh access token in place of the one that was lost. */
  async function tryRetry(
    presented: string,
    token: RefreshToken & { salt: string },
    reach: TokenReach,
    context: IssueContext,
  ) {
    const refreshToken = deriveSuccessor(presented, token.salt);
    const { family } = token;
    const access = await prepareAccess('refresh-token.retry', family, reach, context);
    const outcome = await database.tryWrite([
      store.touchFamily(family.id),
      ...store.replaceAccessOfLeaf(hashSecret(refreshToken), token.id, access.hash),
      ...access.statements,
    ]);
    return outcome.committed ? issued(access.accessToken, reach, refreshToken, context) : undefined;
  }

  /** A use that leaves the refresh token as it is: for tokens that are bound to a key. */
  async function tryKeep(presented: string, token: RefreshToken, reach: TokenReach, context: IssueContext) {
    const { family } = token;
    const access = await prepareAccess('refresh-token.use', family, reach, context);
    const outcome = await database.tryWrite([
      store.touchFamily(family.id),
      store.keepLive(token.id, access.hash),
      ...access.statements,
    ]);
    return outcome.committed ? issued(access.accessToken, reach, presented, context) : undefined;
  }

  /**
   * The successor comes from the presented token and a salt that is random for each first use: whoever has the
   * database alone can derive nothing, and whoever has the token alone needs us.
   */
  function deriveSuccessor(presented: string, salt: string): string {
    return formatOpaqueToken(wire.refreshTokenPrefix, createHmac('sha256', presented).update(salt).digest());
  }

  /**
   * Uses a refresh token: a new access token and the one successor. Within 30 s of the first use, and as long as
   * the successor is unused, gives the same successor again. Any other use of a used token ends the family.
   * With `keeps`, a token that is not used up stays what it is, and only the access token is new. Client, person,
   * key and reach have been checked. Throws OAuthError `invalid_grant`.
   */
  return async function refresh(
    presented: string,
    found: RefreshToken,
    reach: TokenReach,
    context: IssueContext & { keeps?: boolean },
  ): Promise<IssuedTokens> {
    let token: RefreshToken | undefined = found;
    // Each turn lost a race against another use, which moved the state on: live, retry, used, ended.
    while (token !== undefined) {
      if (token.ended === 'expired') throw oauthError('invalid_grant', 'The refresh token has expired');
      if (token.ended === 'revoked') throw oauthError('invalid_grant', 'The refresh token has been revoked');
      if (token.state === 'used' || (token.state === 'retry' && token.salt === undefined)) {
        await endFamily(token.family, 'refresh_token_reuse', context);
        throw oauthError(
          'invalid_grant',
          'The refresh token was used before: all tokens of this sign-in are revoked',
        );
      }
      const tryUse = context.keeps === true ? tryKeep : tryFirstUse;
      const tokens: IssuedTokens | undefined =
        token.state === 'live' || token.salt === undefined
          ? await tryUse(presented, token, reach, context)
          : await tryRetry(presented, { ...token, salt: token.salt }, reach, context);
      if (tokens !== undefined) return tokens;
      token = await store.findRefresh(token.id);
    }
    throw oauthError('invalid_grant', 'The refresh token is unknown');
  };
}
