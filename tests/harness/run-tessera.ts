import { createShiftedClock, type Clock } from '../../packages/server/src/clock/index.ts';
import { createTessera } from '../../packages/server/src/compose.ts';
import { parseConfig, readMasterKey } from '../../packages/server/src/config/index.ts';
import type { openDatabase } from '../../packages/server/src/database/index.ts';
import { createSilentLogger, type Logger } from '../../packages/server/src/logger/index.ts';

export type RunOptions = { clock?: Clock; logger?: Logger; openDatabase?: typeof openDatabase };

/** Composes and starts an instance in this process, as main.ts does from the same variables. */
export async function runTessera(
  variables: Readonly<Record<string, string | undefined>>,
  { clock = createShiftedClock(), logger = createSilentLogger(), openDatabase: open }: RunOptions = {},
): Promise<{ setUpLink: string | undefined; close(): Promise<void> }> {
  const parsed = parseConfig(variables);
  if ('problems' in parsed) {
    throw new Error(parsed.problems.map(({ name, problem }) => `${name} ${problem}`).join('\n'));
  }
  const masterKey = readMasterKey(parsed.config.masterKey);
  if (!(masterKey instanceof Uint8Array)) throw new Error(`${masterKey.name} ${masterKey.problem}`);
  const tessera = await createTessera({
    config: parsed.config,
    masterKey,
    clock,
    logger,
    ...(open === undefined ? {} : { openDatabase: open }),
  });
  try {
    const { setupLink } = await tessera.listen();
    return { setUpLink: setupLink, close: () => tessera.close() };
  } catch (error) {
    await tessera.close();
    throw error;
  }
}
