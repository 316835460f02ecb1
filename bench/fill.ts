import { DatabaseSync } from 'node:sqlite';

const rowsACommit = 200_000;

/** SQL for a column of the copy number `i` (from 1 to `count`); other columns are those of the row that is copied. */
export type Copies = { table: string; where: string; columns: Readonly<Record<string, string>> };

/**
 * A key of 43 characters, as hashes are here: in the order of `i`, which makes filling quick, and spread over all that
 * a key may be, so that what is asked for later lies somewhere among them.
 */
export function spreadKey(count: number): string {
  return `substr(printf('%08x', i * 4294967295 / ${count}) || hex(randomblob(18)), 1, 43)`;
}

/** Copies one row of each table so many times, straight into the file of a running instance. */
export function fill(
  databaseFile: string,
  count: number,
  copies: readonly Copies[],
  say: (line: string) => void,
): void {
  const begun = performance.now();
  const database = new DatabaseSync(databaseFile, { timeout: 30_000 });
  // What is lost in a power cut is only the bench.
  database.exec('pragma synchronous = off; pragma cache_size = -262144');
  for (const { table, where, columns } of copies) {
    const names = database.prepare(`pragma table_info("${table}")`).all();
    const values = names.map(({ name }) => columns[String(name)] ?? `"row"."${String(name)}"`);
    const list = names.map(({ name }) => `"${String(name)}"`).join(', ');
    const insert = database.prepare(
      `insert into "${table}" (${list})
       with recursive numbers(i) as (select ? union all select i + 1 from numbers where i < ?)
       select ${values.join(', ')} from numbers, (select * from "${table}" where ${where} order by rowid limit 1) as "row"`,
    );
    for (let from = 1; from <= count; from += rowsACommit) {
      insert.run(from, Math.min(count, from + rowsACommit - 1));
    }
  }
  database.exec('pragma wal_checkpoint(truncate)');
  database.close();
  say(`${count} copies in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
}

/** Copies the row that has this key, once for each of the new keys. */
export function copyRow(
  databaseFile: string,
  { table, key, of }: { table: string; key: string; of: string },
  newKeys: readonly string[],
): void {
  const database = new DatabaseSync(databaseFile, { timeout: 30_000 });
  const row = database.prepare(`select * from "${table}" where "${key}" = ?`).get(of);
  if (row === undefined) throw new Error(`"${table}" has no row that is copied`);
  const names = Object.keys(row);
  const insert = database.prepare(
    `insert into "${table}" (${names.map((name) => `"${name}"`).join(', ')}) values (${names.map(() => '?').join(', ')})`,
  );
  database.exec('begin immediate');
  for (const value of newKeys) {
    insert.run(...names.map((name) => (name === key ? value : (row[name] ?? null))));
  }
  database.exec('commit');
  database.close();
}
