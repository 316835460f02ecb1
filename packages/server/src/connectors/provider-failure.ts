/** Where in a conversation with an identity provider something went wrong. */
export type ProviderStep =
  | 'url'
  | 'address'
  | 'dns'
  | 'connection'
  | 'tls'
  | 'http'
  | 'document'
  | 'issuer'
  | 'endpoints'
  | 'keys'
  | 'algorithms'
  | 'authorization'
  | 'response_issuer'
  | 'code_exchange'
  | 'refresh'
  | 'id_token_signature'
  | 'id_token'
  | 'userinfo';

/**
 * An identity provider, or its registration here, is not as it must be. The texts are for the team's admin and for the
 * visitor alike: no token, no secret, no response body.
 */
export class ProviderFailure extends Error {
  override readonly name = 'ProviderFailure';
  readonly step: ProviderStep;
  readonly received: string;
  readonly expected: string;
  readonly mend: string;
  /** The provider has taken back what we hold, or speaks of somebody else: asking again helps nobody. */
  readonly isFinal: boolean;

  constructor(
    step: ProviderStep,
    texts: { received: string; expected: string; mend: string; isFinal?: boolean },
    cause?: unknown,
  ) {
    super(`${step}: received ${texts.received}; expected ${texts.expected}`, { cause });
    this.step = step;
    this.received = texts.received;
    this.expected = texts.expected;
    this.mend = texts.mend;
    this.isFinal = texts.isFinal ?? false;
  }
}

const unreadableSteps: ReadonlySet<ProviderStep> = new Set(['dns', 'connection', 'tls', 'http', 'document']);

/** Whether nothing was read at all: not a wrong answer, but none of use. */
export function isUnreadable(failure: ProviderFailure): boolean {
  return unreadableSteps.has(failure.step);
}
