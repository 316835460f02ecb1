import { connectAttemptPurpose, passportStartPurpose, type PassportStart } from '#attempts';
import type { FoundOneOf } from '#codes';
import { connectorTestStartPurpose, type ConnectorTestStart, type SignInSecrets } from '#providers';
import type { Sealing } from '#sealing';
import type { createBrowserBinding } from './browser.ts';
import type { ConnectNeeds } from './connect-door.ts';

/** What both ends of the way need. */
export type Way = ConnectNeeds & {
  browser: ReturnType<typeof createBrowserBinding>;
  /** `https://host[:port]` of a deployment's host, by configuration. */
  originOf: (host: string) => string;
};

/** The payload of a code of `connectAttemptPurpose`, whose secret is the `state` that goes to the provider. */
export type ConnectAttempt = PassportStart & {
  /** base64url SHA-256 of the cookie of the browser that began. */
  browserHash: string;
  /** Where the answer is to come. */
  redirectUri: string;
  /** Where the visitor was sent: the code is that provider's, and goes to no other. Absent for our own accounts. */
  issuer?: string;
};

/** The payload of a code of `testAttemptPurpose`, whose secret is the `state` that goes to the provider. */
export type TestAttempt = ConnectorTestStart & { browserHash: string; redirectUri: string; issuer: string };

export const testAttemptPurpose = 'connect-test';

type Starts = { [passportStartPurpose]: PassportStart; [connectorTestStartPurpose]: ConnectorTestStart };
type Attempts = { [connectAttemptPurpose]: ConnectAttempt; [testAttemptPurpose]: TestAttempt };

/** The code that begins a way here: a visitor's, or the test of a connector. */
export const findStart = (way: Way, code: string): Promise<FoundOneOf<Starts> | undefined> =>
  way.codes.findOneOf<Starts>([passportStartPurpose, connectorTestStartPurpose], code);

/** The attempt that an answer names by its state. */
export const findAttempt = (way: Way, state: string): Promise<FoundOneOf<Attempts> | undefined> =>
  way.codes.findOneOf<Attempts>([connectAttemptPurpose, testAttemptPurpose], state);

export const attemptLifetimeMilliseconds = 10 * 60_000;

/** Where answers come, unless a connector has an address of its own. */
export function callbackOf({ connectUrl }: Pick<Way, 'connectUrl'>): string {
  return `${connectUrl}/callback`;
}

/** Where a visitor was going, on the deployment's host. `//evil` after an origin is a path like any other. */
export function pageOf(
  way: Pick<Way, 'originOf'>,
  { host, path }: Pick<PassportStart, 'host' | 'path'>,
): string {
  return way.originOf(host) + (path.startsWith('/') ? path : '/');
}

/**
 * The other secrets of an attempt follow from its state under a key of ours, so none of them is stored: whoever reads
 * the database can neither finish an attempt nor redeem its code.
 */
export function secretsOf(sealing: Pick<Sealing, 'mac'>, state: string): SignInSecrets {
  return {
    state,
    nonce: sealing.mac('connect-nonce', state),
    codeVerifier: sealing.mac('connect-code-verifier', state),
  };
}
