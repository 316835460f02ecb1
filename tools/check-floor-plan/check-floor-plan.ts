import { checkFiles } from './file-rules.ts';
import type { Finding } from './finding.ts';
import { checkImports } from './import-rules.ts';
import { checkRooms } from './room-rules.ts';
import { readSource, type SourceFile } from './source-facts.ts';
import { checkTables } from './table-rules.ts';

/** Holds the whole tree against the plan, and returns what differs, in the order of files and lines. */
export function checkFloorPlan(files: readonly SourceFile[]): Finding[] {
  const sources = files.map(readSource);
  return [checkFiles, checkImports, checkRooms, checkTables]
    .flatMap((check) => check(sources))
    .toSorted((a, b) => (a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1));
}
