// The clock: the one source of the present moment. Owns no rule about lifetimes.
export type { Clock } from './clock.ts';
export { createShiftedClock, createSystemClock } from './clock.ts';
