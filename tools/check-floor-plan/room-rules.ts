import type { Finding } from './finding.ts';
import { levelOf, locate } from './places.ts';
import { aboveTheRooms, environmentReader } from './plan.ts';
import type { SourceFacts } from './source-facts.ts';

/** What holds inside of the server: every room has a place and a door, keeps no state, and reads no environment. */
export function checkRooms(sources: readonly SourceFacts[]): Finding[] {
  const rooms = new Map<string, SourceFacts[]>();
  const findings: Finding[] = [];
  for (const source of sources) {
    const { packageName, room, isAboveTheRooms, isTest } = locate(source.path);
    if (packageName !== 'server' || !source.path.startsWith('packages/server/src/')) continue;
    if (room !== null) rooms.set(room, [...(rooms.get(room) ?? []), source]);
    else if (!isAboveTheRooms) findings.push(homeless(source.path));
    if (room !== null && !isTest) findings.push(...checkState(source));
    findings.push(...checkEnvironment(source));
  }
  return [...findings, ...[...rooms].flatMap(([room, files]) => checkRoom(room, files))];
}

function homeless(path: string): Finding {
  return {
    path,
    line: 1,
    found: 'a file outside of every room',
    rule: `above the rooms stand only ${aboveTheRooms.map((name) => `${name}.ts`).join(' and ')}`,
    mend: 'put it into the room whose work it does',
  };
}

function checkRoom(room: string, files: readonly SourceFacts[]): Finding[] {
  const folder = `packages/server/src/${room}`;
  const findings: Finding[] = [];
  if (levelOf(room) === null) {
    findings.push({
      path: files[0]?.path ?? folder,
      line: 1,
      found: `the room '${room}'`,
      rule: 'every room has a floor in the plan',
      mend: 'put it on a floor in tools/check-floor-plan/plan.ts, and into ARCHITECTURE.md',
    });
  }
  const door = files.find(({ path }) => path === `${folder}/index.ts`);
  if (!door) {
    findings.push({
      path: `${folder}/index.ts`,
      line: 1,
      found: `the room '${room}' has no index.ts`,
      rule: 'every room has one door',
      mend: 'export what neighbours may have from index.ts, by name',
    });
  } else if (!door.opensWithComment) {
    findings.push({
      path: door.path,
      line: 1,
      found: 'no comment at the top',
      rule: "a room's door says what the room owns, and what it does not",
      mend: 'begin index.ts with a comment of one to five lines',
    });
  }
  return findings;
}

function checkState({ path, moduleState }: SourceFacts): Finding[] {
  return moduleState.map(({ found, line }) => ({
    path,
    line,
    found,
    rule: 'a module of a room keeps no state: two servers in one process must not meet',
    mend: "keep it in what the room's create… function returns, or declare it readonly if it never changes",
  }));
}

function checkEnvironment({ path, environmentReads }: SourceFacts): Finding[] {
  if (path === environmentReader) return [];
  return [...new Set(environmentReads)].map((line) => ({
    path,
    line,
    found: 'reads process.env',
    rule: 'in the server only main.ts reads the environment',
    mend: 'take the value as an argument; main.ts hands the environment to config',
  }));
}
