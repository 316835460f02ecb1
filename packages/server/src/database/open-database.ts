import type { Clock } from '#clock';
import type { Database, DatabaseAddress } from './database.ts';
import { openPostgres } from './postgres.ts';
import { openSqlite } from './sqlite.ts';

/** Opens SQLite (WAL, every commit on the disk before it is answered) or a pool to PostgreSQL. Throws `DatabaseUnavailable` when SQLite's file cannot be opened. */
export function openDatabase(address: DatabaseAddress, clock: Clock): Database {
  return address.dialect === 'sqlite'
    ? openSqlite(address.path, clock)
    : openPostgres(address.connectionString, clock);
}
