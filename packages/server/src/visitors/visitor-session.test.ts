import { expect, it } from 'vitest';
import { changeMigrations, createChanges } from '#changes';
import { createShiftedClock } from '#clock';
import { exactly } from '#database';
import { createVisitors, visitorMigrations, type NewVisitorSession } from '#visitors';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';

const ada: NewVisitorSession = {
  teamId: 'team_a',
  projectId: 'prj_a',
  environment: 'production',
  deploymentId: 'dpl_a',
  host: 'a.app.localhost',
  connectorId: 'scl_a',
  externalSub: 'ada',
  externalIss: 'https://idp.example',
  externalSid: undefined,
  claims: { email: 'ada@example.com', groups: ['one', 'two'] },
  companionHash: 'hash',
  providerTokens: undefined,
  lifetimeSeconds: 60,
  // After whatever is ended here.
  answeredAt: Number.MAX_SAFE_INTEGER,
};

describeOnBothDatabases('visitor sessions', (openDatabase) => {
  const open = async () => {
    const clock = createShiftedClock();
    const database = await openDatabase([...visitorMigrations, ...changeMigrations], clock);
    const visitors = createVisitors({ database, clock, changes: createChanges({ database, clock }) });
    const enter = async (facts: Partial<NewVisitorSession> = {}) => {
      const { session, statements } = visitors.create({ ...ada, ...facts });
      await database.write(statements);
      return session;
    };
    return { clock, database, visitors, enter };
  };

  it('are found with all that was said of them, until their time is over', async () => {
    const { clock, visitors, enter } = await open();
    const session = await enter();
    expect(await visitors.findLive(session.id)).toEqual(session);
    clock.advance(61_000);
    expect(await visitors.findLive(session.id)).toBeUndefined();
    expect(await visitors.findOfTeam('team_a', session.id)).toEqual(session);
  });

  it('end once, at once', async () => {
    const { database, visitors, enter } = await open();
    const session = await enter();
    expect(await visitors.findRemembered(session.id)).toEqual(session);
    const end = (id: string) => {
      const [ended, noted] = visitors.end(id, 'sign-out');
      return database.tryWrite([exactly(1, ended), noted]);
    };
    expect(await end(session.id)).toEqual({ committed: true });
    expect(await visitors.findLive(session.id)).toBeUndefined();
    expect(await visitors.findRemembered(session.id)).toBeUndefined();
    expect(await end(session.id)).toMatchObject({ committed: false });
  });

  it('are remembered until their time is over, and no longer', async () => {
    const { clock, visitors, enter } = await open();
    const session = await enter({ lifetimeSeconds: 60 });
    clock.advance(59_100);
    expect(await visitors.findRemembered(session.id)).toEqual(session);
    clock.advance(900);
    expect(await visitors.findRemembered(session.id)).toBeUndefined();
  });

  it('are listed for their own team only, newest first, page by page', async () => {
    const { clock, visitors, enter } = await open();
    const sessions = [];
    for (let count = 0; count < 5; count++) {
      if (count !== 2) clock.advance(1);
      sessions.push(await enter({ projectId: count === 3 ? 'prj_b' : 'prj_a' }));
    }
    await enter({ teamId: 'team_b' });
    const ended = await enter();
    const first = await visitors.listOfTeam('team_a', {}, { limit: 3 });
    const rest = await visitors.listOfTeam('team_a', {}, { limit: 9, after: first.at(-1) });
    const listed = [...first, ...rest].map(({ id }) => id);
    expect(listed.toSorted()).toEqual([...sessions, ended].map(({ id }) => id).toSorted());
    expect(await visitors.listOfTeam('team_a', { projectId: 'prj_b' }, { limit: 9 })).toEqual([sessions[3]]);
    expect(await visitors.listOfTeam('team_a', { externalSub: 'bob' }, { limit: 9 })).toEqual([]);
    expect(await visitors.findOfTeam('team_b', ended.id)).toBeUndefined();
  });

  it('end when their visitor stays away, remembered or not, and come not back', async () => {
    const { clock, visitors, enter } = await open();
    const session = await enter({ lifetimeSeconds: 3_600, idleSeconds: 300 });
    const written = async (until: number) => {
      await expect
        .poll(async () => (await visitors.findOfTeam('team_a', session.id))?.idle?.expiresAt)
        .toBeGreaterThanOrEqual(until);
      // The clock of these tests goes on by itself.
      expect((await visitors.findOfTeam('team_a', session.id))?.idle?.expiresAt).toBeLessThan(until + 5_000);
    };
    const begin = session.createdAt;
    for (const minutes of [4, 8, 12]) {
      clock.advance(begin + minutes * 60_000 - clock.now());
      const found = await visitors.findRemembered(session.id);
      expect(found).toBeDefined();
      if (found !== undefined) visitors.markSeen(found);
      await written(begin + (minutes + 5) * 60_000);
    }
    // Not again within the minute.
    clock.advance(50_000);
    visitors.markSeen(session);
    await written(begin + 17 * 60_000);

    const end = (await visitors.findOfTeam('team_a', session.id))?.idle?.expiresAt ?? 0;
    clock.advance(end - 900 - clock.now());
    expect(await visitors.findRemembered(session.id)).toBeDefined();
    clock.advance(900);
    // Less than a second later: what is remembered is not read again.
    expect(await visitors.findRemembered(session.id)).toBeUndefined();
    expect(await visitors.findLive(session.id)).toBeUndefined();
    expect(await visitors.listOfTeam('team_a', {}, { limit: 9 })).toEqual([]);
    expect(await visitors.countOfTeam('team_a', {})).toBe(0);
    visitors.markSeen(session);
    clock.advance(1_500);
    expect(await visitors.findRemembered(session.id)).toBeUndefined();
    expect((await visitors.findOfTeam('team_a', session.id))?.idle?.expiresAt).toBe(end);
  });

  it('need nobody to come while they have no idle time', async () => {
    const { clock, visitors, enter } = await open();
    const session = await enter({ lifetimeSeconds: 3_600 });
    clock.advance(3_599_000);
    expect(await visitors.findRemembered(session.id)).toEqual(session);
  });
});
