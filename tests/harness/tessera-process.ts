// One instance as a process of its own, for tests of several processes on one database. It is composed as main.ts
// composes it, but its clock can be moved, and its writes can be made careless on purpose.
import { createShiftedClock } from '../../packages/server/src/clock/index.ts';
import { openDatabase } from '../../packages/server/src/database/index.ts';
import { openCarelessDatabase } from './careless-database.ts';
import { runTessera } from './run-tessera.ts';

/** What the parent says. */
export type ProcessOrder = { advance: number } | { stop: true };
/** What the process answers. */
export type ProcessAnswer = { ready: { setUpLink: string | undefined } } | { advanced: number };

const clock = createShiftedClock();
const tell = (answer: ProcessAnswer): void => void process.send?.(answer);
const { CARELESS, ...variables } = process.env;

const { setUpLink, close } = await runTessera(variables, {
  clock,
  openDatabase: CARELESS === undefined ? openDatabase : openCarelessDatabase,
});

process.on('message', (order: ProcessOrder) => {
  if ('advance' in order) {
    clock.advance(order.advance);
    tell({ advanced: order.advance });
  } else {
    void close().then(() => process.exit(0));
  }
});
process.once('disconnect', () => process.exit(0));
tell({ ready: { setUpLink } });
