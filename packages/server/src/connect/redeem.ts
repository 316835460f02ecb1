import type { FoundCode } from '#codes';
import { SignInStop } from './stop.ts';
import { findAttempt, type Way } from './way.ts';

/** The attempt of an answer, and the state by which the answer named it. */
export type FoundAttempt<Attempt> = FoundCode<Attempt> & { presented: string };

/**
 * Whose an answer is: of a visitor's attempt, or of a test.
 *
 * @throws SignInStop at step `state`
 */
export async function getAttempt(way: Way, state: string | null) {
  const found = state === null ? undefined : await findAttempt(way, state);
  if (state === null || found === undefined) {
    throw new SignInStop('state', 'sign_in_unknown', {
      description: `Received ${state === null ? 'an answer without state' : 'a state that was not made here'}. Expected the state of a sign-in that began here.`,
      mend: 'Open the page that you wanted to see and sign in again.',
    });
  }
  return { ...found, presented: state };
}

/**
 * Uses the attempt up, where its answer came to the browser that began it.
 *
 * @returns the attempt, and when its answer came, by the database's clock
 * @param beginAnew where the person can begin anew, by what the attempt says
 * @throws SignInStop at step `state` or `browser`
 */
export async function redeemAttempt<Attempt extends { reference: string; browserHash: string }>(
  way: Way,
  found: FoundAttempt<Attempt>,
  cookieHeader: string | undefined,
  beginAnew: (attempt: Attempt) => string,
): Promise<{ attempt: Attempt; answeredAt: number }> {
  const attempt = found.payload;
  const at = { reference: attempt.reference, beginAnew: beginAnew(attempt) };
  // Before anything else, and without using the attempt up: an answer that was carried to another browser tells its
  // bearer nothing and takes nothing from whoever began.
  if (!way.browser.isBound(cookieHeader, found.presented, attempt.browserHash)) {
    throw new SignInStop('browser', 'sign_in_other_browser', {
      ...at,
      description:
        'Received the answer to a sign-in that another browser began, or this one has lost its cookie.',
    });
  }
  const gone = (state: 'used' | 'expired') =>
    new SignInStop('state', state === 'used' ? 'sign_in_used' : 'sign_in_expired', {
      ...at,
      description:
        state === 'used'
          ? 'Received the answer to a sign-in that was finished before. Expected each answer once.'
          : 'Received the answer to a sign-in that began more than ten minutes ago.',
    });
  if (found.state !== 'live') throw gone(found.state);
  const outcome = await way.database.tryWrite([
    way.codes.redeem(found.purpose, found.presented),
    way.attempts.step(attempt.reference, {
      step: 'callback',
      outcome: 'ok',
      detail: 'The answer came to the browser that began.',
    }),
  ]);
  if (!outcome.committed) throw gone('used');
  return { attempt, answeredAt: found.foundAt };
}

/**
 * Mix-up: an answer at another redirect URI than the one that was asked for is another provider's, whatever state it
 * carries, and its code is for nobody else (RFC 9700 section 4.4.2.2).
 *
 * @throws SignInStop at step `response_issuer`
 */
export function validatePlace(
  receivedAt: string,
  attempt: { redirectUri: string },
  at: { reference: string; beginAnew: string },
): void {
  if (receivedAt === attempt.redirectUri) return;
  throw new SignInStop('response_issuer', 'sign_in_failed', {
    ...at,
    description: `Received an answer at ${receivedAt}. Expected one at ${attempt.redirectUri}, which this sign-in asked for.`,
    mend: 'Begin anew. If it stays, somebody may be trying to mix up two identity providers: give the reference to your team.',
  });
}
