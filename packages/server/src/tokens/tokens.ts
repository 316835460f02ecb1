import { createHmac, randomBytes } from 'node:crypto';
import {
  createId,
  createOpaqueToken,
  formatOpaqueToken,
  hasValidChecksum,
  type WireNames,
} from '@tessera/protocol';
import type { Audit } from '#audit';
import type { Bound, Database, Expected } from '#database';
import { oauthError } from '#errors';
import { hashSecret } from '#sealing';
import {
  accessTokenLifetimeSeconds,
  type AccessToken,
  type RefreshToken,
  type RevocationReason,
  type TokenFamily,
} from './token.ts';
import { createTokenStore } from './token-store.ts';

export type TokensNeeds = { database: Database; audit: Audit; wire: WireNames };

/** For whom and in answer to which request a token is issued: what the audit record says. */
export type IssueContext = {
  teamId: string;
  reference: string;
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

/** Tokens and the statements that make them true: none counts before the unit they belong to is committed. */
export type PreparedTokens = IssuedTokens & { statements: readonly (Bound<unknown> | Expected)[] };

export type Tokens = ReturnType<typeof createTokens>;

export function createTokens({ database, audit, wire }: TokensNeeds) {
  const store = createTokenStore(database);

  function issueRecord(
    action: string,
    family: TokenFamily,
    jti: string,
    scopes: readonly string[],
    context: IssueContext,
  ) {
    return audit.record({
      actor: family.clientId,
      action,
      object: family.id,
      teamId: context.teamId,
      after: { jti, userId: family.userId, scopes },
      reference: context.reference,
    });
  }

  /** The first use of a refresh token: false when another use was first or the family has ended meanwhile. */
  async function tryFirstUse(
    presented: string,
    token: RefreshToken,
    scopes: readonly string[],
    context: IssueContext,
  ) {
    const salt = randomBytes(16).toString('base64url');
    const refreshToken = deriveSuccessor(presented, salt);
    const successorHash = hashSecret(refreshToken);
    const accessToken = createOpaqueToken(wire.accessTokenPrefix);
    const accessHash = hashSecret(accessToken);
    const { family } = token;
    const outcome = await database.tryWrite([
      store.touchFamily(family.id),
      store.markUsed(token.id, salt, successorHash),
      store.insertRefresh({ hash: successorHash, familyId: family.id, accessHash }),
      store.insertAccess({
        hash: accessHash,
        clientId: family.clientId,
        scopes,
        dpopJkt: context.dpopJkt,
        family,
      }),
      issueRecord('refresh-token.rotate', family, accessHash, scopes, context),
    ]);
    return outcome.committed ? issued(accessToken, scopes, refreshToken, context) : undefined;
  }

  /** The same successor again, with a fresh access token in place of the one that was lost. */
  async function tryRetry(
    presented: string,
    token: RefreshToken & { salt: string },
    scopes: readonly string[],
    context: IssueContext,
  ) {
    const refreshToken = deriveSuccessor(presented, token.salt);
    const accessToken = createOpaqueToken(wire.accessTokenPrefix);
    const accessHash = hashSecret(accessToken);
    const { family } = token;
    const outcome = await database.tryWrite([
      store.touchFamily(family.id),
      ...store.replaceAccessOfLeaf(hashSecret(refreshToken), token.id, accessHash),
      store.insertAccess({
        hash: accessHash,
        clientId: family.clientId,
        scopes,
        dpopJkt: context.dpopJkt,
        family,
      }),
      issueRecord('refresh-token.retry', family, accessHash, scopes, context),
    ]);
    return outcome.committed ? issued(accessToken, scopes, refreshToken, context) : undefined;
  }

  /**
   * The successor comes from the presented token and a salt that is random for each first use: whoever has the
   * database alone can derive nothing, and whoever has the token alone needs us.
   */
  function deriveSuccessor(presented: string, salt: string): string {
    return formatOpaqueToken(wire.refreshTokenPrefix, createHmac('sha256', presented).update(salt).digest());
  }

  async function endFamily(
    family: TokenFamily,
    reason: RevocationReason,
    context: IssueContext,
  ): Promise<void> {
    await database.write([
      store.revokeFamily(family.id, reason),
      audit.record({
        actor: family.clientId,
        action: 'token-family.revoke',
        object: family.id,
        teamId: context.teamId,
        after: { reason, userId: family.userId, isSecurityEvent: reason.endsWith('_reuse') },
        reference: context.reference,
      }),
    ]);
  }

  return {
    /** A family's id is allotted with the code, so that a code used twice can end what its first use made. */
    allotFamilyId: (): string => createId('fam'),

    /** The tokens of a code: a family with its first access token, and with `offline_access` a refresh token. */
    prepareFamily(family: TokenFamily, context: IssueContext): PreparedTokens {
      const accessToken = createOpaqueToken(wire.accessTokenPrefix);
      const accessHash = hashSecret(accessToken);
      const refreshToken = family.scopes.includes('offline_access')
        ? createOpaqueToken(wire.refreshTokenPrefix)
        : undefined;
      return {
        ...issued(accessToken, family.scopes, refreshToken, context),
        statements: [
          store.insertFamily(family),
          store.insertAccess({
            hash: accessHash,
            clientId: family.clientId,
            scopes: family.scopes,
            dpopJkt: context.dpopJkt,
            family,
          }),
          ...(refreshToken === undefined
            ? []
            : [store.insertRefresh({ hash: hashSecret(refreshToken), familyId: family.id, accessHash })]),
          issueRecord('token-family.issue', family, accessHash, family.scopes, context),
        ],
      };
    },

    /** An access token that an app gets for itself (RFC 6749, 4.4): no family, no refresh token. */
    prepareForClient(clientId: string, scopes: readonly string[], context: IssueContext): PreparedTokens {
      const accessToken = createOpaqueToken(wire.accessTokenPrefix);
      const hash = hashSecret(accessToken);
      return {
        ...issued(accessToken, scopes, undefined, context),
        statements: [
          store.insertAccess({ hash, clientId, scopes, dpopJkt: context.dpopJkt }),
          audit.record({
            actor: clientId,
            action: 'access-token.issue',
            object: hash,
            teamId: context.teamId,
            after: { scopes },
            reference: context.reference,
          }),
        ],
      };
    },

    /** A refresh token as it stands, used or not; undefined for a string that never was one. */
    async findRefreshToken(token: string): Promise<RefreshToken | undefined> {
      if (!hasValidChecksum(token, wire.refreshTokenPrefix)) return undefined;
      return store.findRefresh(hashSecret(token));
    },

    /**
     * Uses a refresh token: a new access token and the one successor. Within 30 s of the first use, and as long as
     * the successor is unused, gives the same successor again. Any other use of a used token ends the family.
     * Client, person and scopes have been checked. Throws OAuthError `invalid_grant`.
     */
    async rotate(
      presented: string,
      found: RefreshToken,
      scopes: readonly string[],
      context: IssueContext,
    ): Promise<IssuedTokens> {
      let token: RefreshToken | undefined = found;
      // Each turn lost a race against another use, which moved the state on: live, retry, used, ended.
      while (token !== undefined) {
        if (token.ended === 'expired') throw oauthError('invalid_grant', 'The refresh token has expired');
        if (token.ended === 'revoked')
          throw oauthError('invalid_grant', 'The refresh token has been revoked');
        if (token.state === 'used' || (token.state === 'retry' && token.salt === undefined)) {
          await endFamily(token.family, 'refresh_token_reuse', context);
          throw oauthError(
            'invalid_grant',
            'The refresh token was used before: all tokens of this sign-in are revoked',
          );
        }
        const tokens: IssuedTokens | undefined =
          token.state === 'live' || token.salt === undefined
            ? await tryFirstUse(presented, token, scopes, context)
            : await tryRetry(presented, { ...token, salt: token.salt }, scopes, context);
        if (tokens !== undefined) return tokens;
        token = await store.findRefresh(token.id);
      }
      throw oauthError('invalid_grant', 'The refresh token is unknown');
    },

    /** An access token in force; undefined for any other string. */
    async findAccessToken(token: string): Promise<AccessToken | undefined> {
      if (!hasValidChecksum(token, wire.accessTokenPrefix)) return undefined;
      return store.findAccess(hashSecret(token));
    },

    /** Ends everything that a code's first redemption issued, because the code came a second time. */
    endAfterCodeReuse: (family: TokenFamily, context: IssueContext): Promise<void> =>
      endFamily(family, 'code_reuse', context),

    /**
     * Ends a token and what belongs to it (RFC 7009, 2.1): of a sign-in the whole family. `foreign`: another client's,
     * nothing happened. `unknown`: not in force, nothing to do.
     */
    async revoke(
      token: string,
      clientId: string,
      context: IssueContext,
    ): Promise<'revoked' | 'foreign' | 'unknown'> {
      const refresh = await this.findRefreshToken(token);
      if (refresh !== undefined) {
        if (refresh.family.clientId !== clientId) return 'foreign';
        await endFamily(refresh.family, 'revoked_by_client', context);
        return 'revoked';
      }
      const access = await this.findAccessToken(token);
      if (access === undefined) return 'unknown';
      if (access.clientId !== clientId) return 'foreign';
      await database.write([
        store.deleteAccess(access.id),
        ...(access.familyId === undefined ? [] : [store.revokeFamily(access.familyId, 'revoked_by_client')]),
        audit.record({
          actor: clientId,
          action: 'access-token.revoke',
          object: access.familyId ?? access.id,
          teamId: context.teamId,
          reference: context.reference,
        }),
      ]);
      return 'revoked';
    },

    /** Ends all tokens of an app; for the unit of whatever is the reason. */
    endAllOfClient: (clientId: string): readonly Bound<unknown>[] => [
      store.revokeFamiliesOfClient(clientId, 'tokens_invalidated'),
      store.deleteAccessOfClient(clientId),
    ],
  };
}

function issued(
  accessToken: string,
  scopes: readonly string[],
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
