import { createHmac, randomBytes } from 'node:crypto';
import {
  createId,
  createOpaqueToken,
  formatOpaqueToken,
  hasValidChecksum,
  type WireNames,
} from '@tessera/protocol';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Bound, Database, Expected } from '#database';
import { oauthError } from '#errors';
import type { Keys } from '#keys';
import { hashSecret } from '#sealing';
import { createAccessTokenStore } from './access-token-store.ts';
import { createAccessTokens, type AccessTokenForm } from './access-token.ts';
import {
  accessTokenLifetimeSeconds,
  type AccessToken,
  type RefreshToken,
  type RevocationReason,
  type TokenFamily,
  type TokenReach,
} from './token.ts';
import { createTokenStore } from './token-store.ts';

export type TokensNeeds = {
  database: Database;
  clock: Clock;
  audit: Audit;
  keys: Pick<Keys, 'sign'>;
  wire: WireNames;
  /** Base URLs: the origin is the issuer, the api what a token is for unless it is for a resource server. */
  urls: { origin: string; api: string };
};

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

/** Tokens and the statements that make them true: none counts before the unit they belong to is committed. */
export type PreparedTokens = IssuedTokens & { statements: readonly (Bound<unknown> | Expected)[] };

export type Tokens = ReturnType<typeof createTokens>;

export function createTokens({ database, clock, audit, keys, wire, urls }: TokensNeeds) {
  const store = createTokenStore(database);
  const accessStore = createAccessTokenStore(database);
  const accessTokens = createAccessTokens({
    keys,
    clock,
    issuer: urls.origin,
    api: urls.api,
    prefix: wire.accessTokenPrefix,
  });

  /** An access token of a family, the statement that stores it, and what goes on the record. */
  async function prepareAccess(
    action: string,
    family: TokenFamily,
    reach: TokenReach,
    context: IssueContext,
  ) {
    const { clientId } = family;
    const { dpopJkt } = context;
    const { accessToken, hash, jti } = await accessTokens.create(
      { clientId, family, reach, dpopJkt },
      context.form,
    );
    const statements = [
      accessStore.insert({ hash, clientId, reach, dpopJkt, family }),
      audit.record({
        actor: clientId,
        action,
        object: family.id,
        teamId: context.teamId,
        after: { jti, userId: family.userId, ...reach },
        reference: context.reference,
      }),
    ];
    return { accessToken, hash, statements };
  }

  /** The first use of a refresh token: undefined when another use was first or the family has ended meanwhile. */
  async function tryFirstUse(
    presented: string,
    token: RefreshToken,
    reach: TokenReach,
    context: IssueContext,
  ) {
    const salt = randomBytes(16).toString('base64url');
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

  async function endFamily(
    family: TokenFamily,
    reason: RevocationReason,
    context: TokenContext,
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
    async prepareFamily(
      family: TokenFamily,
      reach: TokenReach,
      context: IssueContext,
    ): Promise<PreparedTokens> {
      const access = await prepareAccess('token-family.issue', family, reach, context);
      const refreshToken = family.scopes.includes('offline_access')
        ? createOpaqueToken(wire.refreshTokenPrefix)
        : undefined;
      const familyId = family.id;
      return {
        ...issued(access.accessToken, reach, refreshToken, context),
        statements: [
          store.insertFamily(family),
          ...(refreshToken === undefined
            ? []
            : [store.insertRefresh({ hash: hashSecret(refreshToken), familyId, accessHash: access.hash })]),
          ...access.statements,
        ],
      };
    },

    /** An access token that an app gets for itself (RFC 6749, 4.4): no family, no refresh token. */
    async prepareForClient(
      clientId: string,
      reach: TokenReach,
      context: IssueContext,
    ): Promise<PreparedTokens> {
      const { dpopJkt } = context;
      const { accessToken, hash, jti } = await accessTokens.create(
        { clientId, family: undefined, reach, dpopJkt },
        context.form,
      );
      return {
        ...issued(accessToken, reach, undefined, context),
        statements: [
          accessStore.insert({ hash, clientId, reach, dpopJkt, family: undefined }),
          audit.record({
            actor: clientId,
            action: 'access-token.issue',
            object: hash,
            teamId: context.teamId,
            after: { jti, ...reach },
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
     * With `keeps`, a token that is not used up stays what it is, and only the access token is new. Client, person,
     * key and reach have been checked. Throws OAuthError `invalid_grant`.
     */
    async refresh(
      presented: string,
      found: RefreshToken,
      reach: TokenReach,
      context: IssueContext & { keeps?: boolean },
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
        const tryUse = context.keeps === true ? tryKeep : tryFirstUse;
        const tokens: IssuedTokens | undefined =
          token.state === 'live' || token.salt === undefined
            ? await tryUse(presented, token, reach, context)
            : await tryRetry(presented, { ...token, salt: token.salt }, reach, context);
        if (tokens !== undefined) return tokens;
        token = await store.findRefresh(token.id);
      }
      throw oauthError('invalid_grant', 'The refresh token is unknown');
    },

    /** An access token in force; undefined for any other string. */
    async findAccessToken(token: string): Promise<AccessToken | undefined> {
      const read = accessTokens.read(token);
      const found = read && (await accessStore.find(read.hash));
      if (found === undefined || read === undefined) return undefined;
      const isForUs = found.resources.length === 0 || found.resources.includes(urls.api);
      return { ...found, jti: read.readJti(), isForUs };
    },

    /** Ends everything that a code's first redemption issued, because the code came a second time. */
    endAfterCodeReuse: (family: TokenFamily, context: TokenContext): Promise<void> =>
      endFamily(family, 'code_reuse', context),

    /**
     * Ends a token and what belongs to it (RFC 7009, 2.1): of a sign-in the whole family. `foreign`: another client's,
     * nothing happened. `unknown`: not in force, nothing to do.
     */
    async revoke(
      token: string,
      clientId: string,
      context: TokenContext,
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
        accessStore.delete(access.id),
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
      accessStore.deleteOfClient(clientId),
    ],
  };
}

function issued(
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
