// Work that is done later and outlives a restart: what is due is taken under a lease, so that of several processes one
// does it, and another takes over when that one is gone. Owns the table `jobs` and the times of trying again. Not what
// the work is: each room gives its own.
export { jobMigrations } from './job-migrations.ts';
export type { Job, Verdict, Work } from './job.ts';
export { createJobs } from './jobs.ts';
export type { Jobs } from './jobs.ts';
export { createPurging } from './purging.ts';
export type { Purge } from './purging.ts';
