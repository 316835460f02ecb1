import { createAudit, type Audit } from '#audit';
import { createChanges } from '#changes';
import type { Clock } from '#clock';
import type { Config } from '#config';
import { openDatabase } from '#database';
import { createKeyRotation, createKeys, type KeyRotation, type KeyRotationNeeds, type Keys } from '#keys';
import type { Logger } from '#logger';
import { createSealing } from '#sealing';
import { createVisitors, type Visitors } from '#visitors';

/**
 * The rooms that `tessera keys …` needs, over the database of a running instance: no listener, no job, no migration.
 * Rejects when the master key is another one than the keys were sealed with, before anything is sealed with it.
 */
export async function composeKeys(needs: {
  config: Config;
  masterKey: Uint8Array;
  clock: Clock;
  logger: Logger;
}): Promise<{ rotation: KeyRotation; close(): Promise<void> }> {
  const { config, clock, logger } = needs;
  const database = openDatabase(config.database, clock);
  const signing = { database, sealing: createSealing(needs.masterKey), clock, logger, policy: config.keys };
  const keys = createKeys({ ...signing, globalIssuer: config.urls.oidc });
  const visitors = createVisitors({ database, clock, changes: createChanges({ database, clock }) });
  const close = async () => {
    await keys.stop();
    await database.close();
  };
  try {
    await keys.refresh();
  } catch (error) {
    await close();
    throw error;
  }
  const audit = createAudit({ database, clock });
  return { rotation: composeRotation({ ...signing, keys, audit, visitors }), close };
}

/** The rotation of keys, with what the neighbours of `keys` do for it. */
export function composeRotation(
  needs: Omit<KeyRotationNeeds, 'refresh' | 'record' | 'endSessions'> & {
    keys: Keys;
    audit: Audit;
    visitors: Visitors;
  },
): KeyRotation {
  const { keys, audit, visitors, ...signing } = needs;
  return createKeyRotation({
    ...signing,
    refresh: keys.refresh,
    record: audit.record,
    endSessions: visitors.endBegun,
  });
}
