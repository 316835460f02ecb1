import { expect, it } from 'vitest';
import { createShiftedClock } from '#clock';
import { createSealing } from '#sealing';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { createLimits, limitMigrations } from './index.ts';

const minute = 60_000;

describeOnBothDatabases('limits', (openDatabase) => {
  async function world() {
    const clock = createShiftedClock();
    const database = await openDatabase(limitMigrations, clock);
    const limits = createLimits({ database, sealing: createSealing(new Uint8Array(32)) });
    const tryOnce = async (name: string, key: string) =>
      (await database.tryWrite([limits.count(name, key, 5, 10 * minute)])).committed;
    return { clock, database, limits, tryOnce };
  }

  it('lets exactly as many tries through as it may, however many come at once', async () => {
    const { limits, tryOnce } = await world();
    const tries = await Promise.all(Array.from({ length: 40 }, () => tryOnce('code', 'usr_a')));
    expect(tries.filter(Boolean)).toHaveLength(5);
    const isFull = (key: string) => limits.isFull('code', key, 5);
    expect([await isFull('usr_a'), await isFull('usr_b')]).toEqual([true, false]);
    expect(await tryOnce('code', 'usr_b')).toBe(true);
    expect(await tryOnce('other', 'usr_a')).toBe(true);
  });

  it('begins anew when the window is over, or when somebody got it right', async () => {
    const { clock, database, limits, tryOnce } = await world();
    for (let each = 0; each < 5; each += 1) expect(await tryOnce('code', 'usr_a')).toBe(true);
    expect(await tryOnce('code', 'usr_a')).toBe(false);
    clock.advance(10 * minute + 1_000);
    expect(await limits.isFull('code', 'usr_a', 5)).toBe(false);
    expect(await tryOnce('code', 'usr_a')).toBe(true);
    for (let each = 0; each < 4; each += 1) await tryOnce('code', 'usr_a');
    expect(await tryOnce('code', 'usr_a')).toBe(false);
    await database.write([limits.giveBack('code', 'usr_a')]);
    expect(await tryOnce('code', 'usr_a')).toBe(true);
    expect(await tryOnce('code', 'usr_a')).toBe(false);
    await database.write([limits.clear('code', 'usr_a')]);
    expect(await tryOnce('code', 'usr_a')).toBe(true);
  });
});
