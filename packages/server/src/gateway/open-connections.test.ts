import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createOpenConnections } from './open-connections.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

type FindLive = Parameters<typeof createOpenConnections>[0]['findLive'];
const alive = {} as NonNullable<Awaited<ReturnType<FindLive>>>;

function openOne(findLive: FindLive) {
  const open = createOpenConnections({ findLive });
  let closed = () => {};
  const cut = vi.fn<() => void>(() => closed());
  const onceClosed = (listener: () => void) => {
    const before = closed;
    closed = () => {
      before();
      listener();
    };
  };
  open.add({ cut, goAway: cut, onceClosed }, 'session');
  return cut;
}

test('a connection lives as long as its session does', async () => {
  let found: typeof alive | undefined = alive;
  const cut = openOne(() => Promise.resolve(found));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(cut).not.toHaveBeenCalled();
  found = undefined;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(cut).toHaveBeenCalledOnce();
});

test.each<[string, FindLive]>([
  ['refuses', () => Promise.reject(new Error('the database is away'))],
  ['never answers', () => new Promise(() => {})],
])('a connection is trusted five seconds when the database %s', async (_, away) => {
  let findLive: FindLive = () => Promise.resolve(alive);
  const cut = openOne((id) => findLive(id));
  await vi.advanceTimersByTimeAsync(60_000);
  findLive = away;
  await vi.advanceTimersByTimeAsync(1_900);
  expect(cut).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(3_100);
  expect(cut).toHaveBeenCalledOnce();
});

test('one refused look cuts nobody', async () => {
  let looks = 0;
  const cut = openOne(() => {
    looks += 1;
    return looks % 2 === 0 ? Promise.reject(new Error('the database is away')) : Promise.resolve(alive);
  });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(cut).not.toHaveBeenCalled();
});
