import { createId, createOpaqueToken, hasValidChecksum, type WireNames } from '@tessera/protocol';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Bound, Database, Expected } from '#database';
import type { Keys } from '#keys';
import { hashSecret } from '#sealing';
import { createAccessTokenStore } from './access-token-store.ts';
import { createAccessTokens } from './access-token.ts';
import {
  createPrepareAccess,
  issued,
  type IssueContext,
  type IssuedTokens,
  type TokenContext,
} from './issuing.ts';
import { createRefresh } from './refreshing.ts';
import {
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
  keys: Pick<Keys, 'sign' | 'isInForce'>;
  wire: WireNames;
  /** Base URLs: the origin is the issuer, the api what a token is for unless it is for a resource server. */
  urls: { origin: string; api: string };
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
  const prepareAccess = createPrepareAccess({ accessTokens, accessStore, audit });
  const refresh = createRefresh({ database, store, prepareAccess, endFamily, wire });

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

    refresh,

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
