import { expect, it } from 'vitest';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { auditMigrations, createAudit } from './index.ts';

describeOnBothDatabases('the audit log', (openDatabase) => {
  it('tells the records of one millisecond in the order in which they were made', async () => {
    const database = await openDatabase(auditMigrations);
    const audit = createAudit({ database, clock: { now: () => 1_700_000_000_000, offset: () => 0 } });
    const objects = Array.from({ length: 50 }, (_, index) => `app_${index}`);
    const record = (object: string) =>
      audit.record({ actor: 'usr_1', action: 'app.create', object, teamId: 'team_1' });
    await database.write(objects.map(record));
    const newestFirst = await audit.listOfTeam('team_1', { limit: 30 });
    expect(newestFirst.map(({ object }) => object)).toEqual(objects.toReversed().slice(0, 30));
    const next = await audit.listOfTeam('team_1', { limit: 30, before: newestFirst.at(-1)!.id });
    expect(next.map(({ object }) => object)).toEqual(objects.toReversed().slice(30));
  });
});
