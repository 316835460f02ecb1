import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { createShiftedClock } from '#clock';
import type { Database } from '#database';
import { createSilentLogger } from '#logger';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { createJobs, jobMigrations, type Jobs, type Work } from './index.ts';

const running: Jobs[] = [];
afterEach(async () => {
  for (const jobs of running.splice(0)) await jobs.stop();
});

/** One process: its jobs, doing one kind of work. */
function startNode(database: Database, work: Work): Jobs {
  const jobs = createJobs({ database, logger: createSilentLogger() });
  jobs.register('greet', work);
  jobs.start();
  running.push(jobs);
  return jobs;
}

describeOnBothDatabases('jobs', (openDatabase) => {
  async function world() {
    const clock = createShiftedClock();
    return { clock, database: await openDatabase(jobMigrations, clock) };
  }

  it('does each job once, on whichever of several nodes', async () => {
    const { database } = await world();
    const done: unknown[] = [];
    const work: Work = async ({ payload }) => {
      await delay(5);
      done.push(payload);
      return { statements: [] };
    };
    const nodes = [startNode(database, work), startNode(database, work), startNode(database, work)];
    const jobs = nodes[0]!;
    await database.write(Array.from({ length: 30 }, (_, index) => jobs.enqueue('greet', index)));
    for (const node of nodes) node.look();
    await vi.waitFor(() => expect(done).toHaveLength(30), 20_000);
    await delay(100);
    expect(new Set(done)).toEqual(new Set(Array.from({ length: 30 }, (_, index) => index)));
    expect(done).toHaveLength(30);
  });

  it('tries again when it was told to, not before', async () => {
    const { clock, database } = await world();
    const attempts: number[] = [];
    const jobs = startNode(database, ({ attempt }) => {
      attempts.push(attempt);
      return Promise.resolve({
        statements: [],
        ...(attempt < 3 ? { againInMilliseconds: 3_600_000 } : {}),
      });
    });
    await database.write([jobs.enqueue('greet', {}, 60_000)]);
    jobs.look();
    await delay(200);
    expect(attempts).toEqual([]);
    clock.advance(61_000);
    await vi.waitFor(() => expect(attempts).toEqual([1]), 10_000);
    await delay(100);
    expect(attempts).toEqual([1]);
    for (const seen of [
      [1, 2],
      [1, 2, 3],
    ]) {
      clock.advance(3_601_000);
      await vi.waitFor(() => expect(attempts).toEqual(seen), 10_000);
    }
  });

  it('takes over what a process that is gone had begun, and an error is tried again', async () => {
    const { clock, database } = await world();
    const never = startNode(database, () => new Promise(() => undefined));
    running.pop();
    await database.write([never.enqueue('greet', 'x')]);
    never.look();
    await delay(200);
    // It ends without an end of its work: that promise never settles.
    void never.stop();
    const attempts: number[] = [];
    startNode(database, ({ attempt }) => {
      attempts.push(attempt);
      if (attempt === 2) throw new Error('not now');
      return Promise.resolve({ statements: [] });
    });
    await delay(200);
    expect(attempts).toEqual([]);
    clock.advance(61_000);
    await vi.waitFor(() => expect(attempts).toEqual([2]), 10_000);
    clock.advance(10_000);
    await vi.waitFor(() => expect(attempts).toEqual([2, 3]), 10_000);
  });
});
