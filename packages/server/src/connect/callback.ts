import { platformConnectorId } from '@tessera/protocol';
import {
  passportHandOffLifetimeMilliseconds,
  passportHandOffPurpose,
  type PassportHandOff,
  type Principal,
} from '#attempts';
import { ProviderFailure, type Connector } from '#connectors';
import type { Bound } from '#database';
import { evaluateAccessPolicy } from '#protection';
import { findPlatformPrincipal } from './platform.ts';
import { redeemAttempt, validatePlace, type FoundAttempt } from './redeem.ts';
import type { Leaving } from './start.ts';
import { SignInStop, stopOf, type SignInStep } from './stop.ts';
import { pageOf, secretsOf, type ConnectAttempt, type Way } from './way.ts';

/** What came, as it came, and the redirect URI at which it came. */
export type ReceivedAnswer = {
  parameters: URLSearchParams;
  cookieHeader: string | undefined;
  receivedAt: string;
};

/**
 * Takes the provider's answer: whether its attempt began here, who the visitor is, whether the policy lets them in; then hands
 * over to the deployment's host. The attempt is used up before the provider is asked, so that no answer works twice.
 *
 * @throws SignInStop at whichever step is not right
 */
export async function finishAttempt(
  way: Way,
  found: FoundAttempt<ConnectAttempt>,
  { parameters, cookieHeader, receivedAt }: ReceivedAnswer,
): Promise<Leaving> {
  const { attempt, answeredAt } = await redeemAttempt(way, found, cookieHeader, (of) => pageOf(way, of));
  const at = { reference: attempt.reference, beginAnew: pageOf(way, attempt) };
  const steps: Bound<unknown>[] = [];
  const passed = (step: string, detail: string) =>
    void steps.push(way.attempts.step(attempt.reference, { step, outcome: 'ok', detail }));

  try {
    validatePlace(receivedAt, attempt, at);
    const answer = { parameters, state: found.presented, passed, steps, at };
    const { principal, providerTokens } = await findPrincipal(way, attempt, answer);
    passed('policy', await authorize(way, attempt, principal, at));
    const { secret, statement } = way.codes.issue<PassportHandOff>(
      passportHandOffPurpose,
      {
        ...handOffOf(attempt, principal),
        providerTokens,
        answeredAt,
      },
      passportHandOffLifetimeMilliseconds,
    );
    passed('hand_off', `Handed over to ${attempt.host}.`);
    await way.database.write([...steps, statement]);
    return {
      location: `${way.originOf(attempt.host)}${way.finishPath}?code=${secret}`,
      cookies: way.browser.release(cookieHeader, found.presented),
    };
  } catch (error) {
    const stop = error instanceof ProviderFailure ? stopOf(error, at) : error;
    if (!(stop instanceof SignInStop)) throw stop;
    await way.database.write([
      ...steps,
      way.attempts.step(attempt.reference, {
        step: stop.step,
        outcome: 'failed',
        detail: `${stop.error.description} ${stop.error.mend}`,
      }),
    ]);
    // The cause may say more than the page: it is for whoever runs this.
    way.logger.info('visitor sign-in stopped', {
      reference: attempt.reference,
      step: stop.step,
      cause: causeOf(stop),
    });
    throw stop;
  }
}

type At = { reference: string; beginAnew: string };

/** Who the visitor is, as their identity provider says, or our own accounts. */
async function findPrincipal(
  way: Way,
  attempt: ConnectAttempt,
  answer: {
    parameters: URLSearchParams;
    state: string;
    passed: (step: SignInStep, detail: string) => void;
    /** To be written with all that the way makes. */
    steps: Bound<unknown>[];
    at: At;
  },
): Promise<Pick<PassportHandOff, 'principal' | 'providerTokens'>> {
  const { parameters, state, passed, at } = answer;
  if (attempt.connectorId === platformConnectorId) {
    return { principal: await findPlatformPrincipal(way, attempt, answer) };
  }
  const connector = await findConnector(way, attempt, at);
  const secrets = secretsOf(way.sealing, state);
  const { principal, tokens } = await way.providers.finish(connector, {
    parameters,
    secrets,
    redirectUri: attempt.redirectUri,
    passed(step, detail) {
      passed(step, detail);
      if (step === 'code_exchange') answer.steps.push(way.connectors.markUsed(connector.id));
    },
  });
  return { principal, providerTokens: await way.keptTokens.seal(connector, principal, tokens) };
}

async function findConnector(way: Way, attempt: ConnectAttempt, at: At): Promise<Connector> {
  const connector = await way.connectors.find(attempt.connectorId);
  if (connector?.teamId === attempt.teamId && connector.issuer === attempt.issuer) return connector;
  throw new SignInStop('connector', 'sign_in_failed', {
    ...at,
    description: `The identity provider application of this deployment was ${connector ? 'moved' : 'deleted'} during the sign-in.`,
    mend: 'Begin anew; the deployment may have another one by now.',
  });
}

/** Whether the setting of now lets this visitor in; what it said. */
async function authorize(way: Way, attempt: ConnectAttempt, principal: Principal, at: At): Promise<string> {
  const setting = await way.findSetting(attempt.teamId, attempt.projectId, attempt.connectorId);
  if (setting === undefined) {
    throw new SignInStop('policy', 'sign_in_failed', {
      ...at,
      description: 'The protection of this deployment was changed during the sign-in.',
      mend: 'Begin anew.',
    });
  }
  const { allowed, because } = evaluateAccessPolicy(setting.policy, principal);
  if (allowed) return because;
  throw new SignInStop('policy', 'sign_in_denied', {
    ...at,
    description: `You signed in as ${principal.email ?? principal.name ?? principal.externalSub}. ${because}`,
    mend: 'This deployment is for others. Ask its team for access, and give them the reference. If you have another account, sign out of this one at the identity provider and begin anew.',
  });
}

function handOffOf(attempt: ConnectAttempt, principal: Principal): Omit<PassportHandOff, 'answeredAt'> {
  const { bindingHash, browserHash: _, redirectUri: __, issuer: ___, ...kept } = attempt;
  return { ...kept, companionHash: bindingHash, principal };
}

/** What the error's cause says of itself, without the answers that some causes carry. */
function causeOf(stop: SignInStop): string {
  const causes: string[] = [];
  for (let error: unknown = stop.cause; error instanceof Error && causes.length < 4; error = error.cause) {
    causes.push(`${error.name}: ${error.message}`);
  }
  return causes.join(' < ');
}
