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
    let rounds = 0;
    const jobs = startNode(database, () => {
      rounds += 1;
      return Promise.resolve({
        statements: [],
        ...(rounds < 3 ? { againInMilliseconds: 3_600_000 } : {}),
      });
    });
    await database.write([jobs.enqueue('greet', {}, 60_000)]);
    jobs.look();
    await delay(200);
    expect(rounds).toBe(0);
    clock.advance(61_000);
    await vi.waitFor(() => expect(rounds).toBe(1), 10_000);
    await delay(100);
    expect(rounds).toBe(1);
    for (const seen of [2, 3]) {
      clock.advance(3_601_000);
      await vi.waitFor(() => expect(rounds).toBe(seen), 10_000);
    }
  });

  it('forgets the failures of work that then went well', async () => {
    const { clock, database } = await world();
    let rounds = 0;
    const attempts: number[] = [];
    const jobs = startNode(database, ({ attempt }) => {
      rounds += 1;
      attempts.push(attempt);
      if (rounds > 25 && rounds < 28) throw new Error('a hiccup');
      return Promise.resolve({ statements: [], againInMilliseconds: 0 });
    });
    await database.write([jobs.enqueue('greet', {})]);
    jobs.look();
    await vi.waitFor(() => {
      clock.advance(5_000);
      expect(rounds).toBeGreaterThan(30);
    }, 20_000);
    expect(attempts.slice(0, 30)).toEqual([...Array<number>(26).fill(1), 2, 3, 1, 1]);
  });

  it('gives up what fails again and again, but never what is there once and for all', async () => {
    const { clock, database } = await world();
    const rounds: Record<string, number> = {};
    const jobs = startNode(database, ({ id }) => {
      rounds[id] = (rounds[id] ?? 0) + 1;
      throw new Error('not ever');
    });
    await database.write([jobs.enqueueOnce('greet'), jobs.enqueue('greet', {})]);
    await vi.waitFor(() => {
      jobs.look();
      clock.advance(61 * 60_000);
      expect(rounds['greet']).toBeGreaterThan(25);
    }, 20_000);
    expect(Object.values({ ...rounds, greet: 20 })).toEqual([20, 20]);
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
