import { openDatabase, type Database } from '../../packages/server/src/database/index.ts';

/**
 * A deliberately wrong database: it runs the statements of a unit and does not look whether they changed anything.
 * So a decision that was read before stands, whatever happened meanwhile: what a server does that asks first and
 * writes later. Tests that look for races must notice it.
 */
export const openCarelessDatabase: typeof openDatabase = (address, clock): Database => {
  const database = openDatabase(address, clock);
  return {
    ...database,
    async write(unit) {
      await database.write(unit.map((part) => ('bound' in part ? part.bound : part)));
    },
    tryWrite: (unit) => database.tryWrite(unit.map((part) => ('bound' in part ? part.bound : part))),
  };
};
