import { median, type Comparison, type FigureResult, type Measurement } from './figure.ts';
import { measure, type Load } from './load/load.ts';
import { memoryMb, type ServerProcess } from './process.ts';

const rounds = 5;
const warmUpSeconds = 3;
const secondsEach = 4;
const connections = 32;

/** A running server and the request that it is asked again and again. */
export type Side = { name: string; server: ServerProcess; request: Omit<Load, 'connections' | 'seconds'> };

/**
 * Loads the sides in turn, round after round, so that a change of the machine's mood meets all of them, and compares
 * ours with each of the others by the median of the rounds' ratios. Stops the servers.
 */
export async function compareSides(
  bench: string,
  ours: Side,
  others: readonly (Side & { atLeast: number })[],
  say: (line: string) => void,
): Promise<FigureResult> {
  const sides = [ours, ...others];
  const measured = new Map<Side, Measurement[]>(sides.map((side) => [side, []]));
  try {
    for (const { name, request } of sides) {
      say(`warming up ${name}`);
      await measure({ ...request, connections, seconds: warmUpSeconds });
    }
    for (let round = 1; round <= rounds; round++) {
      for (const side of sides) {
        const measurement = await measure({ ...side.request, connections, seconds: secondsEach });
        measured.get(side)?.push(measurement);
        say(`round ${round}: ${side.name} ${Math.round(measurement.perSecond)} a second`);
      }
    }
    const resultOf = (side: Side) => resultOfRounds(side, measured.get(side) ?? []);
    const against = others.map((side): Comparison => {
      const ratios = (measured.get(side) ?? []).map(
        ({ perSecond }, round) => (measured.get(ours)?.[round]?.perSecond ?? Number.NaN) / perSecond,
      );
      return { ...resultOf(side), ratio: median(ratios), atLeast: side.atLeast };
    });
    return { bench, rounds, ours: resultOf(ours), against };
  } finally {
    await Promise.all(sides.map(({ server }) => server.stop()));
  }
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
