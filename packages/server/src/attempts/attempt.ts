/** `sign-in`: at an app of ours. `passport`: of a visitor at a deployment. `connector-test`: that only reports. */
export type AttemptKind = 'sign-in' | 'passport' | 'connector-test';

/** Who the attempt belongs to. Only members of `teamId` may read it; without a team nobody may. */
export type AttemptStart = {
  kind: AttemptKind;
  teamId?: string | undefined;
  appId?: string | undefined;
  projectId?: string | undefined;
  deploymentId?: string | undefined;
  connectorId?: string | undefined;
};

export type AttemptStep = {
  /** A stable name: `start`, `redirect`, `callback`, `code_exchange`, `id_token`, `hand_off` … */
  step: string;
  outcome: 'ok' | 'failed';
  /** What was checked, and for a failure what was received, expected and the mend. Never a secret or a token. */
  detail?: string | undefined;
  /** Milliseconds since the epoch. */
  at: number;
};

export type Attempt = AttemptStart & {
  /** `ref_` and 16 base62 characters: shown to the person, looked up by the team's support. */
  reference: string;
  createdAt: number;
  steps: readonly AttemptStep[];
};

/** The step that ends a way well: a visitor's session at the gateway, the tokens of an app, the report of a test. */
export const completingSteps: ReadonlySet<string> = new Set(['session', 'tokens', 'report']);

/** Where an attempt stands: the last step decides, since a person may try a failed step again and get through. */
export function outcomeOf(steps: readonly AttemptStep[]): 'open' | 'ok' | 'failed' {
  const last = steps.at(-1);
  if (last === undefined) return 'open';
  if (last.outcome === 'failed') return 'failed';
  return completingSteps.has(last.step) ? 'ok' : 'open';
}
