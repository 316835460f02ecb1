import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createShiftedClock } from '#clock';
import { exactly, type Database } from '#database';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { changeMigrations, createChanges } from './index.ts';

const nextTurn = () => delay(1);

describeOnBothDatabases('what is remembered', (openDatabase) => {
  /** Records, and how often they were loaded. */
  async function open() {
    const clock = createShiftedClock();
    const database = await openDatabase(changeMigrations, clock);
    const records = new Map<string, { name: string }>([['a', { name: 'first' }]]);
    const loads: string[] = [];
    const remember = (changes: ReturnType<typeof createChanges>, most = 10) =>
      changes.remember('apps', most, async (key) => {
        loads.push(key);
        return records.get(key);
      });
    return { clock, database, records, loads, remember };
  }

  test('is loaded once, and by the clock once a second', async () => {
    const { clock, database, loads, remember } = await open();
    const find = remember(createChanges({ database, clock }));
    for (let time = 0; time < 5; time++) {
      expect(await find('a')).toEqual({ name: 'first' });
      await nextTurn();
    }
    expect(loads).toEqual(['a']);
    clock.advance(1_001);
    await find('a');
    expect(loads).toEqual(['a', 'a']);
    clock.advance(-60_000);
    await find('a');
    expect(loads, 'a clock that was set back is no reason to trust it longer').toEqual(['a', 'a', 'a']);
  });

  test('is forgotten at once with a change of our own, and with none that was refused', async () => {
    const { clock, database, records, loads, remember } = await open();
    const changes = createChanges({ database, clock });
    const find = remember(changes);
    await find('a');
    await database.write([changes.note('apps')]);
    records.set('a', { name: 'second' });
    expect(await find('a')).toEqual({ name: 'second' });
    await database.write([changes.note('users')]);
    await find('a');
    expect(loads, 'another kind is another matter').toEqual(['a', 'a']);
    expect((await database.tryWrite([changes.note('apps'), exactly(7, changes.note('x'))])).committed).toBe(
      false,
    );
    await nextTurn();
    await find('a');
    expect(loads).toEqual(['a', 'a']);
  });

  test('is forgotten within a second with a change of another process', async () => {
    const { clock, database, records, remember } = await open();
    const find = remember(createChanges({ database, clock }));
    const elsewhere = createChanges({ database, clock });
    await find('a');
    await nextTurn();
    await database.write([elsewhere.note('apps')]);
    records.set('a', { name: 'second' });
    await delay(1_100);
    expect(await find('a')).toEqual({ name: 'second' });
  });

  test('is not remembered when it changed while it was loaded', async () => {
    const { clock, database, records } = await open();
    const changes = createChanges({ database, clock });
    const find = changes.remember('apps', 10, async (key) => {
      const record = records.get(key);
      if (record?.name === 'first') {
        await database.write([changes.note('apps')]);
        records.set(key, { name: 'second' });
      }
      return record;
    });
    expect(await find('a')).toEqual({ name: 'first' });
    await nextTurn();
    expect(await find('a')).toEqual({ name: 'second' });
  });

  test('is never that something is not there, and never more than the most', async () => {
    const { clock, database, records, loads, remember } = await open();
    const find = remember(createChanges({ database, clock }), 2);
    expect(await find('new')).toBeUndefined();
    records.set('new', { name: 'new' });
    expect(await find('new')).toEqual({ name: 'new' });
    records.set('b', { name: 'b' });
    for (const key of ['a', 'b', 'new']) await find(key);
    expect(loads).toEqual(['new', 'new', 'a', 'b', 'new']);
  });

  test('counts for nothing when the database does not answer', async () => {
    const { clock, database, remember } = await open();
    let isGone = false;
    const failing: Database = {
      ...database,
      list: (bound) => (isGone ? Promise.reject(new Error('gone')) : database.list(bound)),
    };
    const changes = createChanges({ database: failing, clock });
    const find = remember(changes);
    await find('a');
    changes.note('apps');
    isGone = true;
    await nextTurn();
    await expect(find('a')).rejects.toThrow('gone');
    isGone = false;
    await nextTurn();
    expect(await find('a')).toEqual({ name: 'first' });
  });
});
