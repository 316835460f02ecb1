import type { Bound, Database } from '#database';
import { createTryStore } from './password-try-store.ts';

/** Deletes the counts of windows that are over, also where nobody logs in any more. */
export function createPasswordTryPurge({ database }: { database: Database }) {
  const store = createTryStore(database);
  return (): Bound<unknown>[] => [store.deleteEnded()];
}
