import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client } from 'pg';

const folderMark = 'made-by-tessera-demo';
const tableMark = 'tesseraDemo';

/** Empties the demo's own folder. A folder that no demo made is left alone, with an error. */
export function resetFolder(folder: string): void {
  if (existsSync(folder)) {
    const entries = readdirSync(folder);
    if (entries.length > 0 && !entries.includes(folderMark)) {
      throw new Error(`${folder} is not a folder of the demo: name an empty one with --data`);
    }
    // The mark goes last: should the removal stop halfway, the next run may go on with it.
    for (const entry of entries.filter((name) => name !== folderMark)) {
      rmSync(join(folder, entry), { recursive: true, force: true });
    }
  }
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, folderMark), 'Every start of `npm run demo` empties this folder.\n');
}

/** Empties the demo's database. One that holds anything else is left alone, with an error. */
export async function resetDatabase(url: string): Promise<void> {
  if (url.startsWith('sqlite:')) resetSqlite(url.slice('sqlite:'.length));
  else await resetPostgres(url);
}

function resetSqlite(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  if (existsSync(path)) {
    const database = new DatabaseSync(path);
    const tables = database.prepare("select name from sqlite_schema where type = 'table'").all();
    database.close();
    refuseForeign(
      path,
      tables.map(({ name }) => String(name)),
    );
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  }
  const database = new DatabaseSync(path);
  database.exec(`create table "${tableMark}" (made integer)`);
  database.close();
}

async function resetPostgres(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      'select tablename as name from pg_tables where schemaname = current_schema()',
    );
    refuseForeign(
      'the database',
      rows.map(({ name }) => name),
    );
    for (const { name } of rows) await client.query(`drop table if exists "${name}" cascade`);
    await client.query(`create table "${tableMark}" (made integer)`);
  } finally {
    await client.end();
  }
}

function refuseForeign(place: string, tables: readonly string[]): void {
  if (tables.length > 0 && !tables.includes(tableMark)) {
    throw new Error(`${place} holds data that are not of a demo: name an empty one with --database`);
  }
}
