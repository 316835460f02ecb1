export type FetchFailureReason =
  | 'url'
  | 'scheme'
  | 'address'
  | 'unresolvable'
  | 'unreachable'
  | 'tls'
  | 'redirect'
  | 'timeout'
  | 'too_large'
  | 'encoding';

/**
 * Why a guarded fetch gave no answer. The texts name the host and the rule; never a body, a query or an address
 * that the name resolved to, so they may be shown to whoever typed the URL.
 */
export class FetchFailure extends Error {
  override readonly name = 'FetchFailure';
  readonly reason: FetchFailureReason;
  readonly received: string;
  readonly expected: string;
  readonly mend: string;

  constructor(
    reason: FetchFailureReason,
    texts: { received: string; expected: string; mend: string },
    cause?: unknown,
  ) {
    super(`${texts.received}; expected ${texts.expected}`, { cause });
    this.reason = reason;
    this.received = texts.received;
    this.expected = texts.expected;
    this.mend = texts.mend;
  }
}
