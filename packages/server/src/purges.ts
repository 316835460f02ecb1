import { createAttemptPurge } from '#attempts';
import { createCodePurge } from '#codes';
import { createDeliveryPurge } from '#logout';
import { createDeviceRequestPurge, createRequestPurge } from '#requests';
import { createSessionPurge } from '#sessions';
import { createTokenPurges } from '#tokens';
import { createVisitorEndPurge, createVisitorSessionPurge } from '#visitors';
import { createTrustTokenPurge, createWorkloadTokenPurge } from '#workloads';
import type { Database } from '#database';
import type { Purge } from '#jobs';

/** What is deleted once it is over, of every room: the work of one job under a lease. */
export function createPurges({
  database,
  liveTests,
  limits,
  registrations,
}: {
  database: Database;
  liveTests: { purge: Purge };
  limits: { deleteEnded(): ReturnType<Purge>[number] };
  registrations: { deleteExpired: Purge };
}): Readonly<Record<string, Purge>> {
  return {
    codes: createCodePurge({ database }),
    requests: createRequestPurge({ database }),
    deviceRequests: createDeviceRequestPurge({ database }),
    logoutDeliveries: createDeliveryPurge({ database }),
    ...createTokenPurges({ database }),
    workloadTokens: createWorkloadTokenPurge({ database }),
    trustTokens: createTrustTokenPurge({ database }),
    sessions: createSessionPurge({ database }),
    visitorSessions: createVisitorSessionPurge({ database }),
    visitorEnds: createVisitorEndPurge({ database }),
    attempts: createAttemptPurge({ database }),
    connectorTests: liveTests.purge,
    limits: () => [limits.deleteEnded()],
    registrations: registrations.deleteExpired,
  };
}
