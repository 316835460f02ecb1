import { DatabaseSync } from 'node:sqlite';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { createTestDatabase } from './test-databases.ts';

test('each test on SQLite gets a file of its own', async () => {
  const [one, two] = await Promise.all([createTestDatabase('sqlite'), createTestDatabase('sqlite')]);
  expect(one.url).not.toBe(two.url);
  const database = new DatabaseSync(one.url.slice('sqlite:'.length));
  expect(database.prepare('select count(*) as n from sqlite_schema').get()?.['n']).toBe(0);
  database.close();
  await Promise.all([one.remove(), two.remove()]);
});

test('each test on PostgreSQL gets a database of its own in a server that really runs', async () => {
  const [one, two] = await Promise.all([createTestDatabase('postgres'), createTestDatabase('postgres')]);
  expect(one.url).not.toBe(two.url);
  const client = new Client({ connectionString: one.url });
  // `remove` cuts connections that are still open.
  client.on('error', () => {});
  await client.connect();
  const { rows } = await client.query('select version() as version');
  expect(rows[0].version).toMatch(/^PostgreSQL /);
  await Promise.all([one.remove(), two.remove()]);
});
