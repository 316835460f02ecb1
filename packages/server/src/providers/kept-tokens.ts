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

/** Keeps of a provider's tokens what will be needed again, and nothing else: sealed for one person at one connector. */
export function createKeptTokens(sealing: Pick<Sealing, 'seal' | 'open'>) {
  const context = ({ connectorId, externalSub }: Whose) => JSON.stringify([connectorId, externalSub]);

  return {
    async seal(
      connector: Pick<Connector, 'id' | 'endSessionEndpoint' | 'usesRefreshTokens'>,
      { externalSub }: Pick<Principal, 'externalSub'>,
      tokens: ProviderTokens,
    ): Promise<KeptProviderTokens | undefined> {
      const idToken = connector.endSessionEndpoint === undefined ? undefined : tokens.idToken;
      const refreshToken = connector.usesRefreshTokens ? tokens.refreshToken : undefined;
      if (idToken === undefined && refreshToken === undefined) return undefined;
      const whose = { connectorId: connector.id, externalSub };
      const { expiresInSeconds = longestSeconds } = tokens;
      return {
        sealed: await sealing.seal(purpose, JSON.stringify({ idToken, refreshToken }), context(whose)),
        ...(refreshToken === undefined
          ? {}
          : { refreshInSeconds: Math.min(Math.max(expiresInSeconds, shortestSeconds), longestSeconds) }),
        endsSession: idToken !== undefined,
      };
    },

    /** Throws when it was sealed for somebody else. */
    async open(whose: Whose, { sealed }: KeptProviderTokens): Promise<ProviderTokens> {
      return JSON.parse(await sealing.open(purpose, sealed, context(whose))) as ProviderTokens;
    },
  };
}
