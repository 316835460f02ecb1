import type { Finding } from './finding.ts';

/** One room imports another, at a line. */
export interface Edge {
  from: string;
  to: string;
  path: string;
  line: number;
}

/** Reports each shortest ring of rooms once, at the import that closes it. */
export function findRings(edges: readonly Edge[]): Finding[] {
  const reported = new Set<string>();
  return edges.flatMap((edge) => {
    const back = shortestWay(edges, edge.to, edge.from);
    if (back === null) return [];
    const ring = [edge.from, ...back];
    const key = ring.slice(1).toSorted().join(' ');
    if (reported.has(key)) return [];
    reported.add(key);
    return [
      {
        path: edge.path,
        line: edge.line,
        found: `a ring of rooms: ${ring.join(' → ')}`,
        rule: 'rooms form no ring',
        mend: 'let the lower room take what it needs as an argument; compose.ts hands it in',
      },
    ];
  });
}

function shortestWay(edges: readonly Edge[], start: string, goal: string): string[] | null {
  const ways = [[start]];
  const seen = new Set([start]);
  for (const way of ways) {
    const last = way.at(-1);
    if (last === goal) return way;
    for (const { from, to } of edges) {
      if (from !== last || seen.has(to)) continue;
      seen.add(to);
      ways.push([...way, to]);
    }
  }
  return null;
}
