/** The present moment, handed to every room that needs it. */
export type Clock = {
  /** Milliseconds since the epoch. */
  now(): number;
  /** How far this clock is from the machine's, in milliseconds: the database adds it to its own clock. */
  offset(): number;
};

/** The machine's own clock. */
export function createSystemClock(): Clock {
  return { now: () => Date.now(), offset: () => 0 };
}

/** A clock that a test moves; expiry judged in the database moves with it. */
export function createShiftedClock(): Clock & { advance(milliseconds: number): void } {
  let shift = 0;
  return {
    now: () => Date.now() + shift,
    offset: () => shift,
    advance(milliseconds) {
      shift += milliseconds;
    },
  };
}
