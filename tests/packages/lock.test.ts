import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withLock as lockOfCli } from '../../packages/cli/src/login/index.ts';
import { withLock as lockOfOidc } from '../../packages/oidc/src/node/index.ts';

const brisk = { touchMs: 20, abandonedMs: 400, retryMs: 5 };

describe.each([
  ['the packages', lockOfOidc, lockOfOidc],
  ['the command line', lockOfCli, lockOfCli],
  ['one against the other', lockOfOidc, lockOfCli],
])('the lock of %s', (_, lockOfOne, lockOfOther) => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tessera-lock-'));
    path = join(folder, 'auth.json');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const ageHolder = (seconds: number): string[] => {
    const then = new Date(Date.now() - seconds * 1000);
    const holders = readdirSync(`${path}.lock`);
    for (const name of holders) utimesSync(join(`${path}.lock`, name), then, then);
    utimesSync(`${path}.lock`, then, then);
    return holders;
  };

  test('lets one work at a time, and leaves nothing behind, also of work that fails', async () => {
    const inside = { now: 0, most: 0 };
    const work = async (): Promise<void> => {
      inside.most = Math.max(inside.most, ++inside.now);
      await sleep(2);
      inside.now--;
      throw new Error('as told');
    };
    const locks = Array.from({ length: 20 }, (_each, index) => (index % 2 === 0 ? lockOfOne : lockOfOther));
    const ended = await Promise.allSettled(locks.map((lock) => lock(path, work, brisk)));
    expect(ended.map((each) => each.status === 'rejected' && String(each.reason))).toEqual(
      locks.map(() => 'Error: as told'),
    );
    expect(inside.most).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('is held as long as the work takes', async () => {
    const order: string[] = [];
    const first = lockOfOne(
      path,
      async () => {
        await sleep(1_500);
        order.push('first');
      },
      brisk,
    );
    await sleep(50);
    await lockOfOther(path, async () => void order.push('second'), brisk);
    await first;
    expect(order).toEqual(['first', 'second']);
  });

  test('is not taken from who has not touched it for 45 s, but after 60', async () => {
    const { promise: end, resolve } = Promise.withResolvers<void>();
    const first = lockOfOne(path, () => end);
    await sleep(50);
    expect(ageHolder(45)).toHaveLength(1);
    const order: string[] = [];
    const second = lockOfOther(path, async () => void order.push('second'));
    await sleep(300);
    expect(order).toEqual([]);
    ageHolder(61);
    await second;
    expect(order).toEqual(['second']);
    resolve();
    await first;
  });

  test('that was taken over is not touched or removed by the one that had it', async () => {
    const { promise: end, resolve } = Promise.withResolvers<void>();
    const first = lockOfOne(path, () => end, { ...brisk, touchMs: 60_000, abandonedMs: 60_000 });
    await sleep(50);
    const [lost] = ageHolder(61);
    const { promise: endOfSecond, resolve: resolveSecond } = Promise.withResolvers<void>();
    const second = lockOfOther(path, () => endOfSecond);
    await sleep(300);
    const holders = readdirSync(`${path}.lock`);
    expect(holders).toHaveLength(1);
    expect(holders).not.toContain(lost);
    resolve();
    await first;
    expect(readdirSync(`${path}.lock`)).toEqual(holders);
    const inside: string[] = [];
    const third = lockOfOne(path, async () => void inside.push('third'));
    await sleep(300);
    expect(inside).toEqual([]);
    resolveSecond();
    await Promise.all([second, third]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('that was abandoned is taken over by one of many', async () => {
    // What a holder leaves that ends between the two steps of its release.
    mkdirSync(`${path}.lock`);
    const inside = { now: 0, most: 0 };
    const work = async (): Promise<void> => {
      inside.most = Math.max(inside.most, ++inside.now);
      await sleep(20);
      inside.now--;
    };
    const { promise: end, resolve } = Promise.withResolvers<void>();
    const first = lockOfOne(path, () => end);
    await sleep(50);
    ageHolder(61);
    const many = Array.from({ length: 10 }, (_each, index) =>
      (index % 2 === 0 ? lockOfOne : lockOfOther)(path, work),
    );
    await Promise.all(many);
    expect(inside.most).toBe(1);
    resolve();
    await first;
  });
});
