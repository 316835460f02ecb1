import type { ConnectorTestReport } from '@tessera/contract';
import { visitorClaimsOf, type Principal } from '#attempts';
import { ProviderFailure, type Connector } from '#connectors';
import type { FoundCode } from '#codes';
import type { Bound } from '#database';
import { evaluateAccessPolicy } from '#protection';
import { toReported, type ConnectorTestStart } from '#providers';
import type { ReceivedAnswer } from './callback.ts';
import { redeemAttempt, validatePlace, type FoundAttempt } from './redeem.ts';
import { spent, type Leaving } from './start.ts';
import { SignInStop, stopOf } from './stop.ts';
import {
  attemptLifetimeMilliseconds,
  secretsOf,
  testAttemptPurpose,
  type TestAttempt,
  type Way,
} from './way.ts';

/**
 * Redeems the start code of a connection test and sends the browser to the identity provider.
 *
 * @throws SignInStop at step `start` or `connector`
 */
export async function startTest(
  way: Way,
  found: FoundCode<ConnectorTestStart> & { code: string },
  cookieHeader: string | undefined,
): Promise<Leaving> {
  const start = found.payload;
  const at = { reference: start.reference, beginAnew: way.testPageOf(start.testId) };
  if (found.state !== 'live') throw spent(found.state, at);
  const connector = await getConnector(way, start, at);

  const redirectUri = way.providers.redirectUriOf(connector);
  const browser = way.browser.bind(cookieHeader);
  const { secret: state, statement: attempt } = way.codes.issue<TestAttempt>(
    testAttemptPurpose,
    { ...start, browserHash: browser.browserHash, redirectUri, issuer: connector.issuer },
    attemptLifetimeMilliseconds,
  );
  const location = await way.providers.start(connector, secretsOf(way.sealing, state), redirectUri);
  const step = way.attempts.step(start.reference, {
    step: 'redirect',
    outcome: 'ok',
    detail: `To "${connector.name}" at ${new URL(connector.authorizationEndpoint).host}.`,
  });
  const outcome = await way.database.tryWrite([way.codes.redeem(found.purpose, found.code), attempt, step]);
  if (!outcome.committed) throw spent('used', at);
  return { location, cookies: browser.cookiesFor(state) };
}

/**
 * Takes the provider's answer to a test as far as it goes and keeps what was found. Nobody is signed in by it: the tokens are dropped, and nothing is handed over.
 *
 * @throws SignInStop at step `state` or `browser`
 */
export async function finishTest(
  way: Way,
  found: FoundAttempt<TestAttempt>,
  { parameters, cookieHeader, receivedAt }: ReceivedAnswer,
): Promise<Leaving> {
  const { attempt } = await redeemAttempt(way, found, cookieHeader, ({ testId }) => way.testPageOf(testId));
  const at = { reference: attempt.reference, beginAnew: way.testPageOf(attempt.testId) };

  const statements: Bound<unknown>[] = [];
  const report: ConnectorTestReport = {
    ok: false,
    steps: [],
    claims: { idToken: null, userinfo: null },
    forwarded: null,
    missing: [],
    policy: null,
  };
  let before = performance.now();
  const add = (step: string, outcome: 'ok' | 'failed', detail: string, mend: string | null) => {
    const now = performance.now();
    report.steps.push({ step, outcome, milliseconds: Math.round(now - before), detail, mend });
    before = now;
    const told = mend === null ? detail : `${detail} ${mend}`;
    statements.push(way.attempts.step(attempt.reference, { step, outcome, detail: told }));
  };

  try {
    validatePlace(receivedAt, attempt, at);
    const connector = await getConnector(way, attempt, at);
    const { principal } = await way.providers.finish(connector, {
      parameters,
      secrets: secretsOf(way.sealing, found.presented),
      redirectUri: attempt.redirectUri,
      passed: (step, detail) => add(step, 'ok', detail, null),
      received(from, claims) {
        report.claims[from === 'id_token' ? 'idToken' : 'userinfo'] = toReported(claims);
      },
    });
    report.forwarded = forwardedOf(principal);
    report.missing = connector.forwardedClaims.filter((name) => !Object.hasOwn(principal.claims, name));
    report.policy = await askPolicy(way, attempt, principal);
    report.ok = true;
    statements.push(way.connectors.markUsed(connector.id));
    add('report', 'ok', 'The test is over: nobody was signed in by it.', null);
  } catch (error) {
    const stop = error instanceof ProviderFailure ? stopOf(error, at) : error;
    if (!(stop instanceof SignInStop)) throw stop;
    add(stop.step, 'failed', stop.error.description, stop.error.mend);
  }
  const { statement, location } = way.finishTest(attempt.testId, attempt.reference, report);
  await way.database.write([...statements, statement]);
  return { location, cookies: way.browser.release(cookieHeader, found.presented) };
}

async function getConnector(
  way: Way,
  { connectorId, teamId, issuer }: ConnectorTestStart & { issuer?: string },
  at: { reference: string; beginAnew: string },
): Promise<Connector> {
  const connector = await way.connectors.find(connectorId);
  const isMoved = issuer !== undefined && connector?.issuer !== issuer;
  if (connector?.teamId === teamId && !isMoved) return connector;
  throw new SignInStop('connector', 'sign_in_failed', {
    ...at,
    description: `The identity provider application was ${connector ? 'moved' : 'deleted'} during the test.`,
    mend: connector ? 'Begin another test.' : 'Test another one.',
  });
}

/** The claims about the person that a deployment would get in its token; the many last, as a report is cut there. */
function forwardedOf(principal: Principal): Record<string, unknown> {
  const { externalSub, externalIss, claims } = principal;
  const own = visitorClaimsOf({ ...principal, claims: {} });
  return toReported({ external_sub: externalSub, external_iss: externalIss, ...own, ...claims });
}

async function askPolicy(
  way: Way,
  { teamId, connectorId, projectId }: TestAttempt,
  principal: Principal,
): Promise<ConnectorTestReport['policy']> {
  if (projectId === undefined) return null;
  const setting = await way.findSetting(teamId, projectId, connectorId);
  if (setting === undefined) {
    return {
      projectId,
      allowed: false,
      because: 'The project lets nobody in by this identity provider application: no policy is asked.',
    };
  }
  return { projectId, ...evaluateAccessPolicy(setting.policy, principal) };
}
