import { isReference } from '@tessera/protocol';
import { expect, it } from 'vitest';
import { createShiftedClock } from '#clock';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { attemptMigrations, createAttemptPurge, createAttempts } from './index.ts';
import { outcomeOf } from './attempt.ts';

describeOnBothDatabases('attempts', (openDatabase) => {
  const open = async () => {
    const clock = createShiftedClock();
    const database = await openDatabase(attemptMigrations, clock);
    return { clock, database, attempts: createAttempts({ database, clock }) };
  };

  it('keeps the steps of an attempt in their order, also within a millisecond', async () => {
    const { attempts, database } = await open();
    const { reference, statement } = attempts.begin({
      kind: 'passport',
      teamId: 'team_a',
      deploymentId: 'dpl_a',
    });
    expect(isReference(reference)).toBe(true);
    const names = Array.from({ length: 40 }, (_, index) => `step-${index}`);
    await database.write([
      statement,
      ...names.map((step) => attempts.step(reference, { step, outcome: 'ok' })),
    ]);
    const found = await attempts.find(reference);
    expect(found).toMatchObject({
      kind: 'passport',
      teamId: 'team_a',
      deploymentId: 'dpl_a',
      appId: undefined,
    });
    expect(found?.steps.map(({ step }) => step)).toEqual(names);
  });

  it('says where an attempt stands', async () => {
    const { attempts, database } = await open();
    const { reference, statement } = attempts.begin({ kind: 'sign-in', teamId: 'team_a' });
    await database.write([statement]);
    const outcome = async () => outcomeOf((await attempts.find(reference))?.steps ?? []);
    expect(await outcome()).toBe('open');
    await database.write([
      attempts.step(reference, { step: 'callback', outcome: 'failed', detail: 'x'.repeat(5_000) }),
    ]);
    expect(await outcome()).toBe('failed');
    await database.write([attempts.step(reference, { step: 'callback', outcome: 'ok' })]);
    expect(await outcome()).toBe('open');
    await database.write([attempts.step(reference, { step: 'session', outcome: 'ok' })]);
    expect(await outcome()).toBe('ok');
    expect((await attempts.find(reference))?.steps[0]?.detail).toHaveLength(2_000);
  });

  it('lists the attempts of one team, newest first', async () => {
    const { attempts, clock, database } = await open();
    const begun: string[] = [];
    for (const teamId of ['team_a', 'team_b', 'team_a']) {
      const { reference, statement } = attempts.begin({ kind: 'passport', teamId });
      await database.write([statement]);
      if (teamId === 'team_a') begun.unshift(reference);
      clock.advance(1_000);
    }
    expect((await attempts.list('team_a', 10)).map(({ reference }) => reference)).toEqual(begun);
    expect(await attempts.list('team_a', 1)).toHaveLength(1);
    expect(await attempts.find('ref_0000000000000000')).toBeUndefined();
  });

  it('keeps for a day what never got past its start, and the rest for 90', async () => {
    const { attempts, clock, database } = await open();
    const begin = async (steps: readonly { step: string; outcome: 'ok' | 'failed' }[]) => {
      const { reference, statement } = attempts.begin({ kind: 'passport', teamId: 'team_a' });
      await database.write([statement, ...steps.map((step) => attempts.step(reference, step))]);
      return reference;
    };
    const start = { step: 'start', outcome: 'ok' } as const;
    const left = await begin([start]);
    const failed = await begin([start, { step: 'callback', outcome: 'failed' }]);
    const done = await begin([start, { step: 'session', outcome: 'ok' }]);
    const purge = createAttemptPurge({ database });
    const kept = async () => {
      await database.write(purge(100));
      const found = await Promise.all([left, failed, done].map((one) => attempts.find(one)));
      return found.map((attempt) => attempt?.steps.length);
    };
    clock.advance(23 * 3_600_000);
    expect(await kept()).toEqual([1, 2, 2]);
    clock.advance(2 * 3_600_000);
    expect(await kept()).toEqual([undefined, 2, 2]);
    clock.advance(90 * 24 * 3_600_000);
    expect(await kept()).toEqual([undefined, undefined, undefined]);
  });
});
