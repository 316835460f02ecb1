import { createAudit } from '#audit';
import type { Clock } from '#clock';
import type { Config } from '#config';
import { openDatabase } from '#database';
import { createKeyRotation, createKeys, type KeyRotation } from '#keys';
import type { Logger } from '#logger';
import { createSealing } from '#sealing';
import { createVisitors } from '#visitors';

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
  const visitors = createVisitors({ database, clock });
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
  const rotation = createKeyRotation({
    ...signing,
    refresh: keys.refresh,
    record: createAudit({ database, clock }).record,
    endSessions: (of) => [visitors.endBegun(of)],
  });
  return { rotation, close };
}
