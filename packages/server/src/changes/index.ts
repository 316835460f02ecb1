// What has changed: one counter for each kind of record that rooms remember, in the database, so that the caches of
// all processes follow. Owns the counters and how a record is remembered; which records are, is decided by their room.
export { changeMigrations } from './change-migrations.ts';
export { createChanges } from './changes.ts';
export type { Changes } from './changes.ts';
