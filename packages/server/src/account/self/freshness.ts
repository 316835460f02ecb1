import type { Clock } from '#clock';
import { isFresh, type Session } from '#sessions';

const minute = 60_000;

/** How long ago a person may have proved who they are when they do something that needs it. */
const freshFor = 10 * minute;
/** A form that needs it is opened only with this much time left to fill it in. */
const timeToFill = 5 * minute;

export type Freshness = {
  isFresh(session: Session): boolean;
  isFreshForForm(session: Session): boolean;
  /** The login page that confirms and comes back. */
  confirmPath(returnPath: string): string;
};

export function createFreshness({ clock }: { clock: Clock }): Freshness {
  return {
    isFresh: (session) => isFresh(session, clock.now(), freshFor),
    isFreshForForm: (session) => isFresh(session, clock.now(), freshFor - timeToFill),
    confirmPath: (returnPath) => `/login?confirm=1&return=${encodeURIComponent(returnPath)}`,
  };
}
