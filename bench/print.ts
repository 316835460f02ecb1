import type { FigureResult, SideResult } from './figure.ts';

/** The line that front-door.md promises to scripts. */
export function formatJson(result: FigureResult): string {
  const { bench, rounds, ours, against } = result;
  return JSON.stringify({
    bench,
    rounds,
    ours: {
      perSecond: round(ours.perSecond),
      p50: round(ours.p50),
      p99: round(ours.p99),
      peakMemoryMb: round(ours.peakMemoryMb),
    },
    against: against.map(({ name, perSecond, ratio, atLeast }) => ({
      name,
      perSecond: round(perSecond),
      ratio: round(ratio),
      atLeast: round(atLeast),
    })),
  });
}

/** The same for people. */
export function formatTable({ bench, rounds, ours, against }: FigureResult): string {
  const rows = [
    ['', 'per second', 'p50 ms', 'p99 ms', 'peak MiB', 'ratio', 'at least', ''],
    [...cells(ours), '', '', ''],
    ...against.map((side) => [
      ...cells(side),
      round(side.ratio).toString(),
      round(side.atLeast).toString(),
      side.ratio >= side.atLeast ? 'within' : 'MISSED',
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  return [`${bench}: medians of ${rounds} rounds`, '', ...lines].join('\n');
}

function cells(side: SideResult): string[] {
  return [
    side.name,
    ...[side.perSecond, side.p50, side.p99, side.peakMemoryMb].map((value) => format(value)),
  ];
}

function format(value: number): string {
  return Number.isNaN(value) ? '–' : round(value).toString();
}

/** Three significant figures are more than a noisy machine can promise. */
function round(value: number): number {
  if (Number.isNaN(value)) return 0;
  return value >= 100 ? Math.round(value) : Math.round(value * 100) / 100;
}
