import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { DatabaseUnavailable } from '#errors';
import { createTurns } from './turns.ts';

test('lets so many go at once, and the others in the order in which they came', async () => {
  const turns = createTurns(2, 1_000);
  const order: number[] = [];
  let atOnce = 0;
  let most = 0;
  await Promise.all(
    [1, 2, 3, 4, 5, 6].map((number) =>
      turns.run(async () => {
        atOnce++;
        most = Math.max(most, atOnce);
        order.push(number);
        await delay(5);
        atOnce--;
      }),
    ),
  );
  expect(most).toBe(2);
  expect(order).toEqual([1, 2, 3, 4, 5, 6]);
});

test('a failure gives its turn on', async () => {
  const turns = createTurns(1, 1_000);
  await expect(turns.run(async () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await turns.run(async () => 'yes')).toBe('yes');
});

test('who waits too long is told that the database does not keep up, and takes no turn later', async () => {
  const turns = createTurns(1, 20);
  const first = turns.run(() => delay(60));
  await expect(turns.run(async () => 'never')).rejects.toBeInstanceOf(DatabaseUnavailable);
  await first;
  expect(await turns.run(async () => 'free')).toBe('free');
});
