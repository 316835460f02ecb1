import type { KeptProviderTokens, Principal } from '#attempts';
import type { Connector } from '#connectors';
import type { Sealing } from '#sealing';
import type { ProviderTokens } from './providers.ts';

const purpose = 'provider-tokens';
/** Not more often than this, however short the access tokens of a provider are; nor more seldom. */
const shortestSeconds = 5 * 60;
const longestSeconds = 60 * 60;

export type KeptTokens = ReturnType<typeof createKeptTokens>;

type Whose = { connectorId: string; externalSub: string };
type Addresses = Pick<Connector, 'issuer' | 'tokenEndpoint' | 'endSessionEndpoint'>;
type Kept = Pick<ProviderTokens, 'idToken' | 'refreshToken'>;

/**
 * Keeps of a provider's tokens what will be needed again, and nothing else: sealed for one person at one connector,
 * with the addresses of then. They go there or nowhere: a connector may be moved to another provider.
 */
export function createKeptTokens(sealing: Pick<Sealing, 'seal' | 'open'>) {
  const context = ({ connectorId, externalSub }: Whose) => JSON.stringify([connectorId, externalSub]);

  return {
    async seal(
      connector: Addresses & Pick<Connector, 'id' | 'usesRefreshTokens'>,
      { externalSub }: Pick<Principal, 'externalSub'>,
      tokens: ProviderTokens,
    ): Promise<KeptProviderTokens | undefined> {
      const idToken = connector.endSessionEndpoint === undefined ? undefined : tokens.idToken;
      const refreshToken = connector.usesRefreshTokens ? tokens.refreshToken : undefined;
      if (idToken === undefined && refreshToken === undefined) return undefined;
      const whose = { connectorId: connector.id, externalSub };
      const { issuer, tokenEndpoint, endSessionEndpoint } = connector;
      const kept: Kept & Addresses = { idToken, refreshToken, issuer, tokenEndpoint, endSessionEndpoint };
      const { expiresInSeconds = longestSeconds } = tokens;
      return {
        sealed: await sealing.seal(purpose, JSON.stringify(kept), context(whose)),
        ...(refreshToken === undefined
          ? {}
          : { refreshInSeconds: Math.min(Math.max(expiresInSeconds, shortestSeconds), longestSeconds) }),
        endsSession: idToken !== undefined,
      };
    },

    /**
     * What may still be sent to the addresses that the connector has by now. Throws when it was sealed for somebody
     * else.
     */
    async open(whose: Whose, { sealed }: KeptProviderTokens, now: Addresses): Promise<Kept> {
      const kept = JSON.parse(await sealing.open(purpose, sealed, context(whose))) as Kept & Addresses;
      if (kept.issuer !== now.issuer) return {};
      return {
        ...(kept.endSessionEndpoint === now.endSessionEndpoint ? { idToken: kept.idToken } : {}),
        ...(kept.tokenEndpoint === now.tokenEndpoint ? { refreshToken: kept.refreshToken } : {}),
      };
    },
  };
}
