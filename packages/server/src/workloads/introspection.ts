import type { Database } from '#database';
import { TokenRefused, type Keys } from '#keys';
import { createFindStanding, NotStanding, type StandingNeeds } from './standing.ts';
import { verifyWorkloadToken, type VerifiedWorkload } from './verifying.ts';
import { createWorkloadTokenStore } from './workload-token-store.ts';

export type FindLiveWorkload = (token: string) => Promise<VerifiedWorkload | undefined>;

/**
 * The claims of a workload token that is in force now: of ours, in its time, and with everything that it rests on
 * still there (RFC 7662). Asks the records each time, so that nothing outlives its end.
 */
export function createFindLiveWorkload(
  needs: StandingNeeds & { database: Database; keys: Pick<Keys, 'verify'>; oidc: string },
): FindLiveWorkload {
  const findStanding = createFindStanding({ ...needs, store: createWorkloadTokenStore(needs.database) });
  return async (token) => {
    try {
      const claims = await verifyWorkloadToken(needs, token);
      await findStanding(claims);
      return claims;
    } catch (error) {
      if (error instanceof TokenRefused || error instanceof NotStanding) return undefined;
      throw error;
    }
  };
}
