import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createOpenConnections } from './open-connections.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

type Stands = () => Promise<boolean>;

function openSocket(stands: Stands, key = 'one', open = createOpenConnections()) {
  let closed = () => {};
  const cut = vi.fn<() => void>(() => closed());
  const onceClosed = (listener: () => void) => {
    const before = closed;
    closed = () => {
      before();
      listener();
    };
  };
  open.add({ cut, goAway: cut, onceClosed }, { key, stands });
  return cut;
}

function openStream(stands: Stands, key = 'one', open = createOpenConnections()) {
  const standingOf = vi.fn<() => { key: string; stands: Stands }>(() => ({ key, stands }));
  const cut = vi.fn<() => void>();
  const end = open.watch({ destroy: cut }, standingOf);
  cut.mockImplementation(end);
  return { cut, end, standingOf };
}

const kinds: [string, (stands: Stands) => () => void][] = [
  ['a WebSocket', (stands) => openSocket(stands)],
  ['a long answer', (stands) => openStream(stands).cut],
];

test.each(kinds)('%s lives as long as what it passed by', async (_, openOne) => {
  let stands = true;
  const cut = openOne(() => Promise.resolve(stands));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(cut).not.toHaveBeenCalled();
  stands = false;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(cut).toHaveBeenCalledOnce();
});

test.each(
  kinds.flatMap(([name, openOne]): [string, string, typeof openOne, Stands][] => [
    [name, 'refuses', openOne, () => Promise.reject(new Error('the database is away'))],
    [name, 'never answers', openOne, () => new Promise(() => {})],
  ]),
)('%s is trusted five seconds when the database %s', async (_name, _how, openOne, away) => {
  let stands: Stands = () => Promise.resolve(true);
  const cut = openOne(() => stands());
  await vi.advanceTimersByTimeAsync(60_000);
  stands = away;
  await vi.advanceTimersByTimeAsync(1_900);
  expect(cut).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(3_100);
  expect(cut).toHaveBeenCalledOnce();
});

test('one refused look cuts nobody', async () => {
  let looks = 0;
  const cut = openSocket(() => {
    looks += 1;
    return looks % 2 === 0 ? Promise.reject(new Error('the database is away')) : Promise.resolve(true);
  });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(cut).not.toHaveBeenCalled();
});

test('what passed by the same is asked about once, and falls together; the rest stays', async () => {
  const open = createOpenConnections();
  let stands = true;
  const ask = vi.fn<Stands>(() => Promise.resolve(stands));
  const together = [
    openSocket(ask, 'one', open),
    openStream(ask, 'one', open).cut,
    openSocket(ask, 'one', open),
  ];
  const other = openSocket(() => Promise.resolve(true), 'two', open);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(ask.mock.calls.length).toBeLessThanOrEqual(5);
  stands = false;
  await vi.advanceTimersByTimeAsync(5_000);
  for (const cut of together) expect(cut).toHaveBeenCalledOnce();
  expect(other).not.toHaveBeenCalled();
});

test('an answer that is soon over asks nobody, and nothing is left of it', async () => {
  const ask = vi.fn<Stands>(() => Promise.resolve(true));
  const { end, standingOf, cut } = openStream(ask);
  await vi.advanceTimersByTimeAsync(1_500);
  end();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(standingOf).not.toHaveBeenCalled();
  expect(ask).not.toHaveBeenCalled();
  expect(cut).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});

test('answers end in any order, each once', async () => {
  const open = createOpenConnections();
  const stands = vi.fn<Stands>(() => Promise.resolve(true));
  const [first, second, third] = ['a', 'b', 'c'].map((key) => openStream(stands, key, open));
  second?.end();
  second?.end();
  first?.end();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(first?.standingOf).not.toHaveBeenCalled();
  expect(second?.standingOf).not.toHaveBeenCalled();
  expect(third?.standingOf).toHaveBeenCalledOnce();
  third?.end();
  third?.end();
  stands.mockClear();
  const later = openStream(stands, 'd', open);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(later.standingOf).toHaveBeenCalledOnce();
  later.end();
  stands.mockClear();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(stands).not.toHaveBeenCalled();
});
