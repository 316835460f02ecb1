import { median, type Comparison, type FigureResult, type Measurement } from './figure.ts';
import { measure, type Load } from './load/load.ts';
import { memoryMb, type ServerProcess } from './process.ts';

const rounds = 5;
// Until the optimising compiler is done with both: ours is the larger, and took 12 s.
const warmUpSeconds = 12;
const secondsEach = 4;
/** A figure may have its own number. */
export const connections = 32;

export type AskedRequest = Omit<Load, 'connections' | 'seconds'>;

/** A running process, and what it is asked again and again, or how else it is measured. */
export type Side = { name: string; server: ServerProcess } & (
  | { request: AskedRequest }
  | { measure: (seconds: number) => Promise<Measurement> }
);

export type OtherSide = Side & {
  atLeast: number;
  /** Where the budget is about the other: how many times as good it is as ours. */
  reversed?: boolean;
  /** Where the budget is about the time of the middle request, and not about how many there are a second. */
  byP50?: boolean;
};

/** Asks a request that is made anew before each round: what it sends can be used once. */
export function askAnew(prepare: () => Promise<AskedRequest>): (seconds: number) => Promise<Measurement> {
  return async (seconds) => measure({ ...(await prepare()), connections, seconds });
}

/**
 * Loads the sides in turn, round after round, so that a change of the machine's mood meets all of them, and compares
 * ours with each of the others by the median of the rounds' ratios. Stops the servers.
 */
export async function compareSides(
  bench: string,
  ours: Side,
  others: readonly OtherSide[],
  say: (line: string) => void,
  onConnections = connections,
): Promise<FigureResult> {
  try {
    return await measureSides(bench, ours, others, say, onConnections);
  } finally {
    await Promise.all([ours, ...others].map(({ server }) => server.stop()));
  }
}

/** The same, and leaves the servers running for whoever compares more of them. */
export async function measureSides(
  bench: string,
  ours: Side,
  others: readonly OtherSide[],
  say: (line: string) => void,
  onConnections = connections,
): Promise<FigureResult> {
  const sides: readonly Side[] = [ours, ...others];
  const measured = new Map<Side, Measurement[]>(sides.map((side) => [side, []]));
  const measureSide = (side: Side, seconds: number) =>
    'request' in side
      ? measure({ ...side.request, connections: onConnections, seconds })
      : side.measure(seconds);
  for (const side of sides) {
    say(`warming up ${side.name}`);
    await measureSide(side, warmUpSeconds);
  }
  for (let round = 1; round <= rounds; round++) {
    for (const side of sides) {
      const measurement = await measureSide(side, secondsEach);
      measured.get(side)?.push(measurement);
      say(`round ${round}: ${side.name} ${Math.round(measurement.perSecond)} a second`);
    }
  }
  const resultOf = (side: Side) => resultOfRounds(side, measured.get(side) ?? []);
  const against = others.map((side): Comparison => {
    const ratios = (measured.get(side) ?? []).map((theirs, round) => {
      const own = measured.get(ours)?.[round];
      if (own === undefined) return Number.NaN;
      if (side.byP50 === true) return theirs.p50 / own.p50;
      return side.reversed === true ? theirs.perSecond / own.perSecond : own.perSecond / theirs.perSecond;
    });
    return { ...resultOf(side), ratio: median(ratios), atLeast: side.atLeast };
  });
  return { bench, rounds, ours: resultOf(ours), against };
}

function resultOfRounds({ name, server }: Side, measurements: readonly Measurement[]) {
  return {
    name,
    perSecond: median(measurements.map(({ perSecond }) => perSecond)),
    p50: median(measurements.map(({ p50 }) => p50)),
    p99: median(measurements.map(({ p99 }) => p99)),
    peakMemoryMb: memoryMb(server.child, 'VmHWM'),
  };
}
