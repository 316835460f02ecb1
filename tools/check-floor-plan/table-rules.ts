import type { Finding } from './finding.ts';
import { locate } from './places.ts';
import type { SourceFacts } from './source-facts.ts';

const isReading = /^(?:selectFrom|\w+Join)\(|^(?:from|join)\b/i;

/** A table is known to its room's store and migrations alone. */
export function checkTables(sources: readonly SourceFacts[]): Finding[] {
  const owners = new Map<string, string>();
  const findings: Finding[] = [];
  for (const { path, createdTables } of sources) {
    const { room } = locate(path);
    if (room === null || !path.endsWith('-migrations.ts')) continue;
    for (const { table, line } of createdTables) {
      const owner = owners.get(table);
      owners.set(table, owner ?? room);
      if (owner !== undefined && owner !== room) findings.push(twoOwners(path, line, table, owner));
    }
  }
  for (const source of sources) findings.push(...checkNames(source, owners));
  return findings;
}

function twoOwners(path: string, line: number, table: string, owner: string): Finding {
  return {
    path,
    line,
    found: `createTable('${table}')`,
    rule: `a table belongs to one room, and '${table}' belongs to '${owner}'`,
    mend: 'give the table another name, or let its owner make it',
  };
}

function checkNames({ path, namedTables }: SourceFacts, owners: ReadonlyMap<string, string>): Finding[] {
  const { room, isTest } = locate(path);
  const isStore = /-(?:store|migrations)\.ts$/.test(path);
  // What a database holds after a race or a purge shows at no front door, so a test of the whole may look; it may not
  // write, or it would make states that the product cannot.
  const mayLook = path.startsWith('tests/');
  return namedTables.flatMap(({ table, by, line }) => {
    const owner = owners.get(table);
    if (owner === undefined || (owner === room && (isStore || isTest))) return [];
    if (mayLook && isReading.test(by)) return [];
    return [
      {
        path,
        line,
        found: by,
        rule: `only the *-store.ts and *-migrations.ts of '${owner}' name the table '${table}'`,
        mend:
          owner === room
            ? "move the statement into the room's store"
            : `ask '${owner}' for it: through its door from above, or by a shape that compose.ts hands in`,
      },
    ];
  });
}
