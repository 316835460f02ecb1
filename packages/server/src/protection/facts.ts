import type { ErrorCode } from '#errors';
import type { DeploymentType } from './coverage.ts';

/** What the decision rests on, and nothing else: the same facts give the same verdict on every node. */
export type ProtectionFacts = {
  readonly deployment: DeploymentFacts;
  /** Hosts of the project that are open to everyone. */
  readonly exceptions: readonly string[];
  readonly optionsAllowlist: OptionsFact;
  /** What a workload showed for itself. */
  readonly trustedSource: SecretFact;
  readonly automationBypass: SecretFact;
  readonly shareLink: SecretFact;
  readonly trustedIps:
    | {
        readonly deploymentType: DeploymentType;
        readonly protectionMode: 'additional' | 'exclusive';
        readonly isTrusted: boolean;
      }
    | undefined;
  /** The project's Passport setting; undefined when Passport is off. */
  readonly passport:
    | {
        readonly connectorId: string;
        readonly deploymentType: DeploymentType;
        /** Whether the team may use Passport now. Without, nobody new comes in. */
        readonly isEntitled: boolean;
      }
    | undefined;
  /** Platform accounts; undefined when they are off. */
  readonly ssoProtection: { readonly deploymentType: DeploymentType } | undefined;
  /** Password protection; undefined when it is off. Who gave the password has a session. */
  readonly password: { readonly deploymentType: DeploymentType } | undefined;
  /** What the cookies of the request amount to. */
  readonly session: SessionFact;
};

export type DeploymentFacts = {
  readonly host: string;
  readonly environment: string;
  /** The kind of the host that was asked for. */
  readonly hostKind: 'generated' | 'alias' | 'custom';
};

export type SessionFact =
  | { readonly state: 'none' }
  | {
      readonly state: 'valid';
      readonly sessionId: string;
      /** What the visitor showed: who they are, or that they know the password. */
      readonly of: 'person' | 'password';
    }
  /** Sent, but not one that counts here: `because` is for people, never a secret. */
  | { readonly state: 'refused'; readonly because: string }
  /** Two were sent and one may be a sibling host's. A new sign-in would not mend that: it would only add a third. */
  | { readonly state: 'ambiguous'; readonly because: string };

/** What came of a secret that a request presents to pass by. */
export type SecretFact =
  | { readonly state: 'absent' }
  | { readonly state: 'accepted'; readonly because: string }
  /** It does not count, and the request falls through to the other rules. */
  | { readonly state: 'refused'; readonly because: string }
  /** It ends the request, with this error. */
  | { readonly state: 'failed'; readonly because: string; readonly code: ErrorCode };

export type OptionsFact =
  | { readonly state: 'off' }
  | { readonly state: 'other'; readonly because: string }
  | { readonly state: 'listed'; readonly prefix: string };
