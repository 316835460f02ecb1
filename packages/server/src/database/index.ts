// The database: one door to SQLite or PostgreSQL. Owns connections, the grouping of writes into commits, and the
// running of migrations. Owns no table: each room writes its own statements over its own tables.
export { openDatabase } from './open-database.ts';
export type { Database, DatabaseAddress } from './database.ts';
export { migrate } from './migrate.ts';
export type { Migration } from './migrate.ts';
export { exactly } from './statement.ts';
export type { Bound, Expected, Outcome, Unit } from './statement.ts';
export { UnitRefused } from './statement.ts';
