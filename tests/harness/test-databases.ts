import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { inject } from 'vitest';

export type DatabaseKind = 'sqlite' | 'postgres';
export const databaseKinds: readonly DatabaseKind[] = ['sqlite', 'postgres'];

export type TestDatabase = {
  kind: DatabaseKind;
  /** As TESSERA_DATABASE_URL wants it: `sqlite:PATH` or `postgres://…`. */
  url: string;
  /** Deletes it, whoever is still connected. */
  remove(): Promise<void>;
};

/** An empty database of its own: a fresh file in a temporary folder, or a fresh database in the one PostgreSQL. */
export async function createTestDatabase(kind: DatabaseKind): Promise<TestDatabase> {
  if (kind === 'sqlite') {
    const folder = mkdtempSync(join(tmpdir(), 'tessera-sqlite-'));
    return {
      kind,
      url: `sqlite:${join(folder, 'tessera.db')}`,
      remove: async () => rmSync(folder, { recursive: true, force: true }),
    };
  }
  const postgres = inject('postgres');
  if ('problem' in postgres) throw new Error(`PostgreSQL did not start: ${postgres.problem}`);
  return createPostgresDatabase(postgres.url);
}

/** A fresh database in the PostgreSQL that `serverUrl` leads to. */
export async function createPostgresDatabase(serverUrl: string): Promise<TestDatabase> {
  const name = `tessera_${randomBytes(8).toString('hex')}`;
  await runOnce(serverUrl, `create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    kind: 'postgres',
    url: url.href,
    remove: () => runOnce(serverUrl, `drop database if exists ${name} with (force)`),
  };
}

async function runOnce(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** The same place as `openDatabase` takes it. */
export function addressOf({
  kind,
  url,
}: TestDatabase): { dialect: 'sqlite'; path: string } | { dialect: 'postgres'; connectionString: string } {
  return kind === 'sqlite'
    ? { dialect: 'sqlite', path: url.slice('sqlite:'.length) }
    : { dialect: 'postgres', connectionString: url };
}
