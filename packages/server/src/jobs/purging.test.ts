import { describe, expect, it } from 'vitest';
import type { Bound, Expected } from '#database';
import { createSilentLogger } from '#logger';
import { createPurging, type Purge } from './index.ts';

/** A table of so many rows that are over. */
function tableOf(rows: number) {
  const table = { rows, units: [] as number[] };
  const purge: Purge = (most) => [{ most } as unknown as Bound<unknown>];
  const take = (most: number): number => Math.min(most, table.rows);
  const database = {
    async tryWrite(unit: readonly (Bound<unknown> | Expected)[]) {
      const { rows: expected } = unit.at(-1) as Expected;
      if (take(expected) !== expected) return { committed: false as const, refusedAt: 0 };
      table.rows -= expected;
      table.units.push(expected);
      return { committed: true as const };
    },
    async write(unit: readonly (Bound<unknown> | Expected)[]) {
      const taken = take((unit.at(-1) as unknown as { most: number }).most);
      table.rows -= taken;
      table.units.push(taken);
    },
  };
  return { table, purge, database };
}
const job = { id: 'purge', kind: 'purge', payload: {}, attempt: 1 };

describe('a round of deleting what is over', () => {
  it('goes in small units until nothing is left', async () => {
    const { table, purge, database } = tableOf(1_234);
    const work = createPurging({ database, logger: createSilentLogger(), purges: { rows: purge } });
    expect(await work(job)).toEqual({ statements: [], againInMilliseconds: 60_000 });
    expect(table).toEqual({ rows: 0, units: [500, 500, 234] });
  });

  it('leaves the rest of a very full table to the next round, well within the lease', async () => {
    const { table, purge, database } = tableOf(100_000);
    const work = createPurging({ database, logger: createSilentLogger(), purges: { rows: purge } });
    await work(job);
    expect(table.rows).toBe(100_000 - 60 * 500);
  });

  it('goes on with the other tables when one fails, and comes again', async () => {
    const { table, purge, database } = tableOf(3);
    const broken: Purge = () => {
      throw new Error('not this one');
    };
    const work = createPurging({
      database,
      logger: createSilentLogger(),
      purges: { broken, rows: purge },
    });
    expect((await work(job)).againInMilliseconds).toBe(60_000);
    expect(table.rows).toBe(0);
  });
});
