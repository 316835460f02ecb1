/** Word of a session's end to one app, as the app's team sees it. Times are milliseconds since the epoch. */
export type LogoutDelivery = {
  id: string;
  appId: string;
  userId: string;
  sid: string;
  /** Where it goes: the app's back-channel logout URL at the last try. */
  uri: string;
  /** `waiting`: to be tried at `nextTryAt`. `failed`: given up. */
  outcome: 'waiting' | 'delivered' | 'failed';
  /** Tries that have ended. */
  attempts: number;
  createdAt: number;
  lastTriedAt: number | undefined;
  nextTryAt: number | undefined;
  /** The HTTP status of the last try; undefined when no answer came. */
  status: number | undefined;
  /** Why the last try failed, in words that may be shown. */
  failure: string | undefined;
};

const second = 1_000;
const minute = 60 * second;

/** How long after each failed try the next one comes; there is none after the last. */
const pauses = [10 * second, minute, 5 * minute, 30 * minute, 120 * minute];

/** Milliseconds to wait after this failed try (1 is the first); undefined: given up. */
export function pauseAfter(attempt: number): number | undefined {
  return pauses[attempt - 1];
}

/** Seconds that a logout token counts: each try signs its own (Back-Channel Logout 1.0, 2.4: at most two minutes). */
export const logoutTokenLifetimeSeconds = 120;

/** The JOSE `typ` of logout tokens. */
export const logoutTokenType = 'logout+jwt';

/** The one member of their `events` claim. */
export const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout';
