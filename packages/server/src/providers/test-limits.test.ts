import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { createShiftedClock } from '#clock';
import { createLimits, limitMigrations } from '#limits';
import { createSealing } from '#sealing';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { createTestLimits } from './test-limits.ts';

describeOnBothDatabases('tests of connectors', (openDatabase) => {
  it('are so many of a person, and so many of a team whoever its people are, in ten minutes', async () => {
    const clock = createShiftedClock();
    const database = await openDatabase(limitMigrations, clock);
    const tests = createTestLimits({
      database,
      limits: createLimits({ database, sealing: createSealing(randomBytes(32)) }),
    });
    const countMany = (times: number, userId: string, teamId: string) =>
      Promise.allSettled(Array.from({ length: times }, () => tests.count({ userId, teamId })));
    const refusals = (outcomes: PromiseSettledResult<void>[]) =>
      outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Error] : []));

    const ofOne = refusals(await countMany(65, 'usr_1', 'team_a'));
    expect(ofOne).toHaveLength(5);
    expect(ofOne[0]).toMatchObject({
      code: 'too_many_connector_tests',
      description: 'Received more than 60 from you in ten minutes.',
      headers: { 'retry-after': '600' },
    });
    // Another team does not help them; what was refused counts for no team.
    expect(refusals(await countMany(1, 'usr_1', 'team_b'))).toHaveLength(1);
    for (const userId of ['usr_2', 'usr_3'])
      expect(refusals(await countMany(60, userId, 'team_a'))).toEqual([]);
    const ofTeam = refusals(await countMany(25, 'usr_4', 'team_a'));
    expect(ofTeam).toHaveLength(5);
    expect(ofTeam[0]?.message).toContain('200 from your team');
    expect(refusals(await countMany(1, 'usr_4', 'team_b'))).toEqual([]);
    clock.advance(10 * 60_000 + 1);
    expect(refusals(await countMany(1, 'usr_1', 'team_a'))).toEqual([]);
  });
});
