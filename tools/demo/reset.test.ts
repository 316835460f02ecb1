import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { createTestDatabase } from '../../tests/harness/test-databases.ts';
import { resetDatabase, resetFolder } from './reset.ts';

test("the demo's folder is emptied at every start", () => {
  const folder = mkdtempSync(join(tmpdir(), 'demo-reset-'));
  resetFolder(folder);
  writeFileSync(join(folder, 'old'), '');
  resetFolder(folder);
  expect(existsSync(join(folder, 'old'))).toBe(false);
  rmSync(folder, { recursive: true });
});

test('a folder that no demo made is left as it is', () => {
  const folder = mkdtempSync(join(tmpdir(), 'demo-reset-'));
  writeFileSync(join(folder, 'precious'), '');
  expect(() => resetFolder(folder)).toThrow('is not a folder of the demo');
  expect(existsSync(join(folder, 'precious'))).toBe(true);
  rmSync(folder, { recursive: true });
});

test('a database of an earlier demo is emptied, and one of anybody else is left as it is, on SQLite', async () => {
  const { url, remove } = await createTestDatabase('sqlite');
  const run = (statement: string): void => {
    const database = new DatabaseSync(url.slice('sqlite:'.length));
    database.exec(statement);
    database.close();
  };
  await resetDatabase(url);
  run('create table old (id text)');
  await resetDatabase(url);
  run('create table old (id text)');
  run('drop table "tesseraDemo"');
  await expect(resetDatabase(url)).rejects.toThrow('holds data that are not of a demo');
  run('drop table old');
  await remove();
});

test('a database of an earlier demo is emptied, and one of anybody else is left as it is, on PostgreSQL', async () => {
  const { url, remove } = await createTestDatabase('postgres');
  const run = async (statement: string): Promise<void> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query(statement);
    await client.end();
  };
  await resetDatabase(url);
  await run('create table old (id text)');
  await resetDatabase(url);
  await run('create table old (id text)');
  await run('drop table "tesseraDemo"');
  await expect(resetDatabase(url)).rejects.toThrow('holds data that are not of a demo');
  await run('drop table old');
  await remove();
});
