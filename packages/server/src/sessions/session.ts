/** A browser's login session. Times are milliseconds since the epoch. */
export type Session = {
  /** The public `sid`; the cookie holds another, secret value. */
  id: string;
  userId: string;
  /** When the person last proved who they are: `auth_time`. */
  authenticatedAt: number;
  /** How they proved it (RFC 8176). */
  amr: string[];
  createdAt: number;
  lastSeenAt: number;
  expiresAt: number;
  /** What the browser called itself, cut to a length that a page can show. */
  userAgent: string | undefined;
  address: string | undefined;
};

const day = 24 * 60 * 60 * 1000;

/** NIST SP 800-63B-4, 2.1.3: at AAL1 a person proves themselves again at least every 30 days. */
export const sessionLifetimeMilliseconds = 30 * day;

/** A browser nobody has used for a week is logged out: it may be one that was left or lost. */
export const idleLifetimeMilliseconds = 7 * day;

/** Noted at most this often, so that reading a page is not a write. */
export const seenIntervalMilliseconds = 60 * 60 * 1000;

/** Whether the person proved who they are no longer ago than this. */
export function isFresh(session: Session, now: number, milliseconds: number): boolean {
  return now - session.authenticatedAt <= milliseconds;
}
