import { openDatabase, type Database } from '../../packages/server/src/database/index.ts';
import { DatabaseUnavailable } from '../../packages/server/src/errors/index.ts';

export type SwitchableDatabase = {
  openDatabase: typeof openDatabase;
  switchOff(): void;
  switchOn(): void;
};

/** A stand-in around the real database: switched off, it answers as one whose disk is gone. */
export function createSwitchableDatabase(): SwitchableDatabase {
  let isOff = false;
  function guard<Arguments extends unknown[], Result>(
    ask: (...values: Arguments) => Promise<Result>,
  ): (...values: Arguments) => Promise<Result> {
    return async (...values) => {
      if (isOff)
        throw new DatabaseUnavailable('SQLite does not answer', { cause: new Error('disk I/O error') });
      return ask(...values);
    };
  }
  return {
    openDatabase(address, clock): Database {
      const database = openDatabase(address, clock);
      return {
        ...database,
        find: (bound) => guard(() => database.find(bound))(),
        list: (bound) => guard(() => database.list(bound))(),
        write: guard((unit) => database.write(unit)),
        tryWrite: guard((unit) => database.tryWrite(unit)),
      };
    },
    switchOff() {
      isOff = true;
    },
    switchOn() {
      isOff = false;
    },
  };
}
