import type { TestProject } from 'vitest/node';
import { startPostgresServer } from './postgres-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The one PostgreSQL of a test run, or why there is none. */
    postgres: { url: string } | { problem: string };
  }
}

/**
 * Runs once before all test files: one PostgreSQL for all, each test takes a database of its own in it.
 * Without one the tests that need it fail and say why; the others run.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['TEST_DATABASE_URL'];
  if (given) {
    project.provide('postgres', { url: given });
    return async () => {};
  }
  try {
    const server = await startPostgresServer();
    project.provide('postgres', { url: server.url });
    return () => server.remove();
  } catch (error) {
    project.provide('postgres', { problem: error instanceof Error ? error.message : String(error) });
    return async () => {};
  }
}
