import type { Finding } from './finding.ts';
import { floorName, levelOf, locate, resolveImport, type Place } from './places.ts';
import { mayImportLazily, packages, testTools } from './plan.ts';
import { findRings, type Edge } from './rings.ts';
import type { SourceFacts } from './source-facts.ts';

/** Where one thing may know of another: floors, doors, rings, and what each package may depend on. */
export function checkImports(sources: readonly SourceFacts[]): Finding[] {
  const edges: Edge[] = [];
  const findings = sources.flatMap((source) => {
    const from = locate(source.path);
    const literal = source.dynamicImports.flatMap(({ specifier, line }) =>
      specifier === null ? [] : [{ specifier, line }],
    );
    return [
      ...[...source.imports, ...literal].flatMap(({ specifier, line }) => {
        const at = { path: source.path, line };
        const finding = checkTarget(from, specifier, at, edges) ?? checkPackage(from, specifier, at);
        return finding === null ? [] : [finding];
      }),
      ...checkDynamicImports(from, source),
    ];
  });
  return [...findings, ...findRings(edges)];
}

function checkTarget(
  from: Place,
  specifier: string,
  at: { path: string; line: number },
  edges: Edge[],
): Finding | null {
  const target = resolveImport(from, specifier);
  if (target.kind === 'package') return null;
  const found = `imports '${specifier}'`;
  if (target.kind === 'file') {
    const to = target.place;
    if (from.packageName !== null && to.packageName === null) return checkWayOut(from, to, found, at);
    if (from.packageName !== to.packageName) return checkForeignFile(from, to, found, at);
    if (to.packageName !== 'server' || (to.room !== null && to.room === from.room)) return null;
    if (to.isAboveTheRooms) return from.room === null ? null : checkWayUp(found, at);
    if (to.room === null) return null;
    return {
      ...at,
      found,
      rule: `past the door: the only way into the room '${to.room}' is its index.ts`,
      mend: `import '#${to.room}', and let its index.ts export what is needed, if others may have it`,
    };
  }
  if (from.room === null) return null;
  if (from.room === target.room) {
    if (from.isTest) return null;
    return {
      ...at,
      found,
      rule: 'a room does not go in through its own door: that makes a ring of its files',
      mend: 'import the file itself: ./….ts',
    };
  }
  edges.push({ from: from.room, to: target.room, ...at });
  return checkFloors(from.room, target.room, found, at);
}

function checkFloors(
  from: string,
  to: string,
  found: string,
  at: { path: string; line: number },
): Finding | null {
  const [fromLevel, toLevel] = [levelOf(from), levelOf(to)];
  if (toLevel === null) {
    return {
      ...at,
      found,
      rule: `the plan knows no room '${to}'`,
      mend: 'correct the name, or put the room on a floor in tools/check-floor-plan/plan.ts',
    };
  }
  // A room that is missing from the plan is reported once, at the room.
  if (fromLevel === null || fromLevel > toLevel) return null;
  const way = fromLevel === toLevel ? 'sideways' : 'up';
  return {
    ...at,
    found,
    rule: `imports go strictly down, not ${way}: '${from}' (floor ${floorName(from)}) to '${to}' (floor ${floorName(to)})`,
    mend: `name the small shape that '${from}' needs as a type of its own, and hand it in through compose.ts`,
  };
}

function checkWayUp(found: string, at: { path: string; line: number }): Finding {
  return {
    ...at,
    found,
    rule: 'imports go strictly down: what builds the rooms is above them',
    mend: 'take what is needed as an argument of the room; compose.ts hands it in',
  };
}

function checkWayOut(
  from: Place,
  to: Place,
  found: string,
  at: { path: string; line: number },
): Finding | null {
  if (from.isTest) return null;
  return {
    ...at,
    found,
    rule: 'what is shipped does not import tests, tools, benchmarks or examples',
    mend: `move what is needed out of ${to.path} into a package or room that has its name`,
  };
}

/** Tests, tools, benchmarks and examples come in through a door too: a package's, a room's, or the front door. */
function checkForeignFile(
  from: Place,
  to: Place,
  found: string,
  at: { path: string; line: number },
): Finding | null {
  const isDoor = /^packages\/[^/]+\/src\/(?:[^/]+\/)?index\.tsx?$/.test(to.path) || to.isAboveTheRooms;
  if (from.packageName === null && isDoor) return null;
  return {
    ...at,
    found,
    rule: `past the door: ${to.path} belongs to another package`,
    mend:
      from.packageName === null
        ? 'import the index.ts of its room or package'
        : 'a package is imported by its name, if it may be known here at all',
  };
}

function checkPackage(from: Place, specifier: string, at: { path: string; line: number }): Finding | null {
  const rules = from.packageName === null ? undefined : packages[from.packageName];
  const target = resolveImport(from, specifier);
  if (!rules || target.kind !== 'package') return null;
  const found = `imports '${specifier}'`;
  const isTestTool = from.isTest && (testTools.includes(target.name) || specifier.startsWith('node:'));
  const isInNode =
    specifier.startsWith('node:') && rules.inNode?.some((prefix) => from.path.startsWith(prefix));
  // A `#` path leads to a file of the package's own.
  const isAllowed = rules.only?.includes(target.name) || isTestTool || isInNode || specifier.startsWith('#');
  if (rules.only && !isAllowed) {
    return {
      ...at,
      found,
      rule: `packages/${from.packageName} imports nothing but ${rules.only.join(' and ')}`,
      mend: 'do it with what the platform gives everywhere, or do it in the package that needs it',
    };
  }
  if (!rules.not?.includes(target.name)) return null;
  return {
    ...at,
    found,
    rule: `packages/${from.packageName} does not know ${target.name}`,
    mend: 'speak through @tessera/contract',
  };
}

function checkDynamicImports(from: Place, { path, dynamicImports }: SourceFacts): Finding[] {
  if (mayImportLazily.some((prefix) => path.startsWith(prefix))) return [];
  return dynamicImports
    .filter(({ specifier }) =>
      specifier === null ? from.packageName !== null : /^(?:[.#/]|@tessera\/)/.test(specifier),
    )
    .map(({ specifier, line }) => ({
      path,
      line,
      found: specifier === null ? 'import() of a computed module' : `import('${specifier}')`,
      rule: 'our own files are not imported dynamically: the plan must be readable without running it',
      mend: 'import it at the top of the file',
    }));
}
