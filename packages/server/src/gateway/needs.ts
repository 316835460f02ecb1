import type { AccessPolicy, DeploymentType, HostKind } from '@tessera/contract';
import type { WireNames } from '@tessera/protocol';
import type { Attempts } from '#attempts';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Codes } from '#codes';
import type { Bound, Database } from '#database';
import type { Keys } from '#keys';
import type { UpstreamAddresses } from '#deployments';
import type { Limits } from '#limits';
import type { Logger } from '#logger';
import type { Passwords } from '#passwords';
import type { ProtectionSettings } from '#projects';
import type { Bypasses, TrustedSources } from '#protection';
import type { Sealing } from '#sealing';
import type { Visitors, VisitorSession } from '#visitors';
import type { Workloads } from '#workloads';
import type { PublicAddress } from './request/host.ts';
import type { Resolve } from './upstream/connector.ts';
import type { UpstreamLimits } from './upstream/pools.ts';

type Running = Parameters<Workloads['forDeployment']>[0];

/** A deployment as it is found by one of its hosts, with all that a decision about a request rests on. */
export type Site = {
  readonly deployment: Omit<Running['deployment'], 'git'> & {
    readonly git: Running['deployment']['git'];
    /** Scheme, host and port of the service behind the gateway. */
    readonly upstream: string;
  };
  readonly host: string;
  readonly hostKind: HostKind;
  readonly project: Running['project'] & {
    readonly passport:
      | {
          readonly connectorId: string;
          readonly deploymentType: DeploymentType;
          readonly sessionLifetimeSeconds: number;
          readonly sessionIdleSeconds: number | null;
          readonly policy: AccessPolicy;
        }
      | undefined;
    readonly protection: ProtectionSettings;
  };
  readonly team: Running['team'] & { readonly passportEnabled: boolean };
};

export type GatewayNeeds = {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly audit: Audit;
  readonly codes: Codes;
  readonly keys: Pick<Keys, 'sign' | 'verify' | 'epoch'>;
  readonly attempts: Pick<Attempts, 'begin' | 'step'>;
  readonly visitors: Pick<Visitors, 'create' | 'findLive' | 'findRemembered' | 'markSeen' | 'end'>;
  /** Has the provider asked again while the session lasts, where it can be. */
  scheduleRefresh(session: VisitorSession): readonly Bound<unknown>[];
  readonly trustedSources: Pick<TrustedSources, 'judge'>;
  readonly limits: Pick<Limits, 'count' | 'giveBack'>;
  readonly sealing: Pick<Sealing, 'mac'>;
  /** What visitors' passwords are held against. Not the queue of the logins: strangers knock here. */
  readonly visitPasswords: {
    /** `foundAt`: by the database's clock. */
    find(
      teamId: string,
      projectId: string,
    ): Promise<{ hash: string | undefined; foundAt: number } | undefined>;
    verify: Passwords['verify'];
  };
  readonly workloads: Pick<Workloads, 'forDeployment'>;
  readonly bypasses: Pick<Bypasses, 'cookies' | 'guesses'> & {
    readonly automation: Pick<Bypasses['automation'], 'verify' | 'findLive' | 'markUsed'>;
    readonly shareLinks: Pick<Bypasses['shareLinks'], 'verify' | 'findLive'>;
  };
  /** The deployment at this host (lower case, no port). */
  readonly deployments: { findByHost(host: string): Promise<Site | undefined> };
  readonly wire: WireNames;
  readonly urls: { readonly origin: string; readonly passport: string; readonly connect: string };
  /** How browsers reach deployments. */
  readonly address: PublicAddress;
  /** Which addresses deployments may have. */
  readonly upstreamAddresses: UpstreamAddresses;
  readonly upstreams: UpstreamLimits;
  /** How long a visitor may neither send nor take a byte that is waited for; a minute by default. */
  readonly visitorIdleMilliseconds?: number;
  /** How long running requests may go on when the process is to end. */
  readonly drainMilliseconds: number;
  readonly resolve?: Resolve;
};
