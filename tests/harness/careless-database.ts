import { setTimeout as delay } from 'node:timers/promises';
import { openDatabase, type Database, type Unit } from '../../packages/server/src/database/index.ts';

/** Long enough that all requests of a race have looked before the first of them writes. */
const thoughtMs = 300;

/**
 * A deliberately wrong database: it runs the statements of a unit some time later, and does not look whether they
 * changed anything. So a decision that was read before stands, whatever happened meanwhile: what a server does that
 * asks first and writes later. Tests that look for races must notice it.
 */
export const openCarelessDatabase: typeof openDatabase = (address, clock): Database => {
  const database = openDatabase(address, clock);
  const forgetConditions = (unit: Unit): Unit => unit.map((part) => ('bound' in part ? part.bound : part));
  return {
    ...database,
    async write(unit) {
      await delay(thoughtMs);
      await database.write(forgetConditions(unit));
    },
    async tryWrite(unit) {
      await delay(thoughtMs);
      return database.tryWrite(forgetConditions(unit));
    },
  };
};
