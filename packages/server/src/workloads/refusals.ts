import type { Audit } from '#audit';
import type { Database } from '#database';
import type { Limits } from '#limits';

export type RefusalsNeeds = {
  database: Pick<Database, 'tryWrite'>;
  audit: Pick<Audit, 'record'>;
  limits: Pick<Limits, 'count'>;
};

type Refusal = Omit<Parameters<Audit['record']>[0], 'before' | 'after'> & {
  after: Record<string, unknown>;
};

const windowMilliseconds = 60_000;
/** Refusals a minute of one kind that are written down each by itself. */
const mostRecords = 20;

/**
 * Writes down that a token was refused; `key` says whose refusals, and where, are counted together. Whoever may not have one can ask as often as it likes: so that nobody fills the
 * audit log, or hides something in it, the many of one minute end with a record that says so.
 */
export function createRecordRefusal({ database, audit, limits }: RefusalsNeeds) {
  return async (key: string, refusal: Refusal): Promise<void> => {
    const record = (after: Record<string, unknown>) => audit.record({ ...refusal, after });
    const written = await database.tryWrite([
      limits.count('workload-token-refusal', key, mostRecords, windowMilliseconds),
      record(refusal.after),
    ]);
    if (written.committed) return;
    await database.tryWrite([
      limits.count('workload-token-refusals-left-out', key, 1, windowMilliseconds),
      record({
        why: `There were more than ${mostRecords} refusals within a minute. The others of that minute are not written down.`,
      }),
    ]);
  };
}
