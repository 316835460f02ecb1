import { isDeepStrictEqual } from 'node:util';
import type { AccessPolicy } from '@tessera/contract';
import { visitorClaimsOf, type Principal } from '#attempts';
import type { Audit } from '#audit';
import { ProviderFailure, type Connector } from '#connectors';
import { exactly, type Bound } from '#database';
import type { Job, Jobs, Verdict, Work } from '#jobs';
import type { VisitorSession, Visitors } from '#visitors';
import type { KeptTokens } from './kept-tokens.ts';
import type { Providers } from './providers.ts';

const kind = 'passport-session-refresh';
/** While a provider does not answer. The session goes on: its own end is not far. */
const againMilliseconds = 2 * 60_000;

export type SessionRefreshNeeds = {
  jobs: Pick<Jobs, 'enqueue' | 'register'>;
  audit: Audit;
  visitors: Pick<Visitors, 'findLive' | 'end' | 'update'>;
  findConnector(id: string): Promise<Connector | undefined>;
  providers: Pick<Providers, 'refresh'>;
  keptTokens: KeptTokens;
  /** The project's Passport setting of now; undefined when Passport is off or the project is gone. */
  findPassport(
    teamId: string,
    projectId: string,
  ): Promise<{ connectorId: string; policy: AccessPolicy } | undefined>;
  evaluatePolicy(policy: AccessPolicy, principal: Principal): { allowed: boolean; because: string };
};

/**
 * Asks a provider again and again, while a session lasts, whether the visitor still may: by the refresh token, which a
 * provider takes back with the account. A job for each session, so that one node asks at a time and no request waits.
 */
export function createSessionRefresh(needs: SessionRefreshNeeds): {
  /** For the unit that makes the session. */
  schedule(session: Pick<VisitorSession, 'id' | 'providerTokens'>): readonly Bound<unknown>[];
} {
  const end = (session: VisitorSession, because: string): Verdict => ({
    statements: [
      ...needs.visitors.end(session.id, 'ended-by-provider'),
      needs.audit.record({
        actor: session.connectorId,
        action: 'passport-session.end',
        object: session.id,
        teamId: session.teamId,
        after: { by: 'provider', externalSub: session.externalSub, because },
      }),
    ],
  });

  const refresh: Work = async ({ payload }: Job): Promise<Verdict> => {
    const session = await needs.visitors.findLive((payload as { sessionId: string }).sessionId);
    if (session?.providerTokens === undefined) return { statements: [] };
    const connector = await needs.findConnector(session.connectorId);
    if (connector?.usesRefreshTokens !== true) return { statements: [] };
    const { refreshToken } = await needs.keptTokens.open(session, session.providerTokens, connector);
    // Nobody can be asked about it any more, and what another provider says is of other people.
    if (refreshToken === undefined) return end(session, 'The connector was moved to another provider.');

    try {
      const refreshed = await needs.providers.refresh(connector, refreshToken, session.externalSub);
      const { principal } = refreshed;
      const setting = await needs.findPassport(session.teamId, session.projectId);
      if (principal !== undefined && setting?.connectorId === connector.id) {
        const { allowed, because } = needs.evaluatePolicy(setting.policy, principal);
        if (!allowed) return end(session, because);
      }
      // A provider that does not rotate gives none, and the old one goes on.
      const tokens = { ...refreshed.tokens, refreshToken: refreshed.tokens.refreshToken ?? refreshToken };
      const kept = await needs.keptTokens.seal(connector, session, tokens);
      const claims = principal === undefined ? session.claims : visitorClaimsOf(principal);
      const [update, noted] = needs.visitors.update(session.id, { claims, providerTokens: kept });
      return {
        // Tokens alone are read afresh by whoever uses them: no gateway has to forget its sessions over them.
        statements: [exactly(1, update), ...(isDeepStrictEqual(claims, session.claims) ? [] : [noted])],
        againInMilliseconds: delayOf({ providerTokens: kept }),
      };
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error;
      if (error.isFinal) return end(session, error.message);
      return { statements: [], againInMilliseconds: againMilliseconds };
    }
  };
  needs.jobs.register(kind, refresh);

  return {
    schedule: (session) =>
      session.providerTokens?.refreshInSeconds === undefined
        ? []
        : [needs.jobs.enqueue(kind, { sessionId: session.id }, delayOf(session))],
  };
}

function delayOf({ providerTokens }: Pick<VisitorSession, 'providerTokens'>): number {
  return (providerTokens?.refreshInSeconds ?? 0) * 1000;
}
