import { DatabaseSync } from 'node:sqlite';
import { Client } from 'pg';
import { addressOf, type TestDatabase } from './test-databases.ts';

/** Asks the database of an instance itself, as whoever stole it could. Rows as plain objects. */
export async function lookInto(database: TestDatabase, question: string): Promise<Record<string, unknown>[]> {
  const address = addressOf(database);
  if (address.dialect === 'sqlite') {
    const file = new DatabaseSync(address.path);
    try {
      return file.prepare(question).all();
    } finally {
      file.close();
    }
  }
  const client = new Client({ connectionString: address.connectionString });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(question)).rows;
  } finally {
    await client.end();
  }
}
