import { platformConnectorId } from '@tessera/protocol';
import { connectAttemptPurpose, type PassportStart } from '#attempts';
import type { FoundCode } from '#codes';
import { SignInStop } from './stop.ts';
import { platformLocation } from './platform.ts';
import {
  attemptLifetimeMilliseconds,
  callbackOf,
  findStart,
  pageOf,
  secretsOf,
  type ConnectAttempt,
  type Way,
} from './way.ts';

/** Where the browser goes from here. */
export type Leaving = { location: string; cookies: readonly string[] };

/**
 * What a code leads to: a visitor's way, or the test of a connector.
 *
 * @throws SignInStop at step `start`
 */
export async function getStart(way: Way, code: string | undefined) {
  const found = code === undefined ? undefined : await findStart(way, code);
  if (code === undefined || found === undefined) {
    throw new SignInStop('start', 'sign_in_unknown', {
      description:
        'Received a link that was not made here. Expected the link that a protected page leads to.',
      mend: 'Open the page that you wanted to see; it leads here by itself.',
    });
  }
  return { ...found, code };
}

/**
 * Redeems a start link and sends the browser to the identity provider.
 *
 * @throws SignInStop at step `start` or `connector`
 */
export async function startAttempt(
  way: Way,
  found: FoundCode<PassportStart> & { code: string },
  cookieHeader: string | undefined,
): Promise<Leaving> {
  const start = found.payload;
  const at = { reference: start.reference, beginAnew: pageOf(way, start) };
  if (found.state !== 'live') throw spent(found.state, at);

  const { redirectUri, issuer, detail, locationFor } = await findEntrance(way, start, at);
  const browser = way.browser.bind(cookieHeader);
  const { secret: state, statement: attempt } = way.codes.issue<ConnectAttempt>(
    connectAttemptPurpose,
    { ...start, browserHash: browser.browserHash, redirectUri, ...(issuer === undefined ? {} : { issuer }) },
    attemptLifetimeMilliseconds,
  );
  const location = await locationFor(state);
  const step = way.attempts.step(start.reference, { step: 'redirect', outcome: 'ok', detail });
  const outcome = await way.database.tryWrite([way.codes.redeem(found.purpose, found.code), attempt, step]);
  // Somebody was quicker with the same link.
  if (!outcome.committed) throw spent('used', at);
  return { location, cookies: browser.cookiesFor(state) };
}

type Entrance = {
  /** Where the answer is to come. */
  redirectUri: string;
  issuer?: string;
  detail: string;
  locationFor: (state: string) => Promise<string>;
};

/** Where the visitor signs in: at the connector's identity provider, or at our own login page. */
async function findEntrance(
  way: Way,
  start: PassportStart,
  at: { reference: string; beginAnew: string },
): Promise<Entrance> {
  if (start.connectorId === platformConnectorId) {
    return {
      redirectUri: callbackOf(way),
      detail: 'To the login of the platform itself.',
      locationFor: async (state) => platformLocation(way, state),
    };
  }
  const connector = await way.connectors.find(start.connectorId);
  if (connector === undefined || connector.teamId !== start.teamId) {
    throw new SignInStop('connector', 'sign_in_failed', {
      ...at,
      description: 'The identity provider application of this deployment does not exist any more.',
      mend: 'Somebody of the team has to choose another one in the Passport setting of the project.',
    });
  }
  const redirectUri = way.providers.redirectUriOf(connector);
  return {
    redirectUri,
    issuer: connector.issuer,
    detail: `To "${connector.name}" at ${new URL(connector.authorizationEndpoint).host}.`,
    locationFor: (state) => way.providers.start(connector, secretsOf(way.sealing, state), redirectUri),
  };
}

export function spent(state: 'used' | 'expired', at: { reference: string; beginAnew: string }): SignInStop {
  return new SignInStop('start', state === 'used' ? 'sign_in_used' : 'sign_in_expired', {
    ...at,
    description:
      state === 'used'
        ? 'Received a link that was used before. Expected each link once.'
        : 'Received a link that is older than a minute.',
  });
}
