/** What one load of some seconds showed. Times in milliseconds. */
export type Measurement = { perSecond: number; p50: number; p99: number };

/** One side of a comparison over all rounds: medians, and the most memory that its process ever had. */
export type SideResult = Measurement & { name: string; peakMemoryMb: number };

export type Comparison = SideResult & {
  /** How many times as good ours is: the median over the rounds. */
  ratio: number;
  /** The budget of performance.md. */
  atLeast: number;
};

export type FigureResult = { bench: string; rounds: number; ours: SideResult; against: Comparison[] };

/**
 * A figure: measures both sides in one run. `say` tells a person what is going on; `count` is how many of what grows
 * there are to be, for figures that are about that.
 */
export type Figure = (
  say: (line: string) => void,
  count: number | undefined,
) => Promise<FigureResult | readonly FigureResult[]>;

export function median(values: readonly number[]): number {
  return percentile(
    values.toSorted((one, other) => one - other),
    0.5,
  );
}

/** Of values in rising order; `share` from 0 to 1. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
