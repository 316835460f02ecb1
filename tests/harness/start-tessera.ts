import { rmSync } from 'node:fs';
import { createShiftedClock } from '../../packages/server/src/clock/index.ts';
import { runTessera, type RunOptions } from './run-tessera.ts';
import { createTesseraEnvironment, type BaseUrls, type TesseraEnvironment } from './tessera-environment.ts';
import { createTestDatabase, type DatabaseKind, type TestDatabase } from './test-databases.ts';

export type RunningTessera = {
  urls: BaseUrls;
  /** While there is no account. */
  setUpLink: string | undefined;
  /** Moves the time of this instance forward; its database's clock goes with it. */
  advance(milliseconds: number): void;
  environment: TesseraEnvironment;
  database: TestDatabase;
  /** Ends the process' part and starts it anew on the same address, data and time. */
  restart(): Promise<void>;
  /** Ends it and deletes its database and folder. */
  close(): Promise<void>;
};

/**
 * One instance in this process with an empty database of its own, or with a given one, on a clock that a test moves.
 */
export async function startTessera(
  kind: DatabaseKind,
  {
    variables,
    database: given,
    ...options
  }: Omit<RunOptions, 'clock'> & {
    variables?: Readonly<Record<string, string>>;
    database?: TestDatabase;
  } = {},
): Promise<RunningTessera> {
  const database = given ?? (await createTestDatabase(kind));
  const environment = await createTesseraEnvironment(database, variables);
  const clock = createShiftedClock();
  let instance = await runTessera(environment.variables, { clock, ...options });
  return {
    urls: environment.urls,
    setUpLink: instance.setUpLink,
    advance: (milliseconds) => clock.advance(milliseconds),
    environment,
    database,
    async restart() {
      await instance.close();
      instance = await runTessera(environment.variables, { clock, ...options });
    },
    async close() {
      await instance.close();
      rmSync(environment.folder, { recursive: true, force: true });
      await database.remove();
    },
  };
}
