import type { ProviderFailure, ProviderStep } from '#connectors';
import { publicError, type ErrorCode, type PublicError } from '#errors';

/** Where a sign-in can stop: in our own steps, or in one of the provider's. */
export type SignInStep = ProviderStep | 'start' | 'state' | 'browser' | 'connector' | 'policy';

const stepWords: Record<SignInStep, string> = {
  start: 'Beginning the sign-in',
  state: 'Recognising the sign-in',
  browser: 'Recognising the browser',
  connector: 'Finding the identity provider application',
  policy: 'Asking the access policy',
  url: 'Reaching the identity provider',
  address: 'Reaching the identity provider',
  dns: 'Reaching the identity provider',
  connection: 'Reaching the identity provider',
  tls: 'Reaching the identity provider',
  http: 'Reading what the identity provider publishes',
  document: 'Reading what the identity provider publishes',
  issuer: 'Reading what the identity provider publishes',
  endpoints: 'Reading what the identity provider publishes',
  algorithms: 'Reading what the identity provider publishes',
  keys: 'Fetching the keys of the identity provider',
  authorization: 'Signing in at the identity provider',
  response_issuer: 'Checking which identity provider answered',
  code_exchange: 'Exchanging the code at the identity provider',
  refresh: 'Asking the identity provider again',
  id_token_signature: 'Verifying the signature of the ID token',
  id_token: 'Checking the ID token',
  userinfo: 'Reading userinfo',
};

/** A sign-in that ends on a page: which step, why, and where to go from here. */
export class SignInStop extends Error {
  override readonly name = 'SignInStop';
  readonly step: SignInStep;
  readonly error: PublicError;
  /** The attempt's reference, once it is known. */
  readonly reference: string | undefined;
  /** What a visitor can do where the mend is for their team; it comes first on their page. */
  readonly mendForVisitor: string | undefined;
  /** Where the visitor can begin anew: a page of the deployment, built from configuration and the kept host. */
  readonly beginAnew: string | undefined;

  constructor(
    step: SignInStep,
    code: ErrorCode,
    facts: {
      description: string;
      mend?: string;
      isForTeam?: boolean;
      reference?: string | undefined;
      beginAnew?: string | undefined;
      cause?: unknown;
    },
  ) {
    super(`${step}: ${facts.description}`, { cause: facts.cause });
    this.step = step;
    this.reference = facts.reference;
    this.beginAnew = facts.beginAnew;
    this.mendForVisitor =
      facts.isForTeam === true ? `${publicError(code).mend} What may help them: ${facts.mend}` : undefined;
    this.error = publicError(code, {
      description: `${stepWords[step]} (step "${step}"): ${facts.description}`,
      ...(facts.mend === undefined ? {} : { mend: facts.mend }),
      cause: facts.cause,
    });
  }
}

/** The same for a failure of the provider. */
export function stopOf(
  failure: ProviderFailure,
  at: { reference: string; beginAnew: string | undefined },
): SignInStop {
  const denied = failure.step === 'authorization' && failure.received.startsWith('"access_denied"');
  const silent = failure.cause instanceof Error && failure.cause.name === 'FetchFailure';
  return new SignInStop(
    failure.step,
    denied ? 'sign_in_denied' : silent ? 'sign_in_provider_down' : 'sign_in_failed',
    {
      ...at,
      description: `Received ${failure.received}. Expected ${failure.expected}.`,
      mend: failure.mend,
      isForTeam: !denied && !failure.mend.includes('give the reference'),
      cause: failure,
    },
  );
}
