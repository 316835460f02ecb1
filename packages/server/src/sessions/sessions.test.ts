import { expect, it } from 'vitest';
import { createShiftedClock } from '#clock';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { sessionMigrations } from './session-migrations.ts';
import { createSessions } from './sessions.ts';

const hour = 60 * 60 * 1000;
const day = 24 * hour;

describeOnBothDatabases('sessions', (openDatabase) => {
  async function world() {
    const clock = createShiftedClock();
    const database = await openDatabase(sessionMigrations, clock);
    const sessions = createSessions({ database, clock });
    const open = async (userId = 'usr_a') => {
      const opened = sessions.create({ userId, amr: ['pwd'], userAgent: 'Test', address: '192.0.2.1' });
      await database.write([opened.statement]);
      return opened;
    };
    return { clock, database, sessions, open };
  }

  it('finds a session by its secret and by its sid', async () => {
    const { sessions, open } = await world();
    const { session, secret } = await open();
    expect(await sessions.find(secret)).toEqual(session);
    expect(await sessions.findById(session.id)).toEqual(session);
    expect(await sessions.find(session.id)).toBeUndefined();
    expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
  });

  it('ends at once, singly, or all others (security-73)', async () => {
    const { database, sessions, open } = await world();
    const [first, second, third] = [await open(), await open(), await open()];
    const stranger = await open('usr_b');
    await database.write([sessions.end(first.session.id)]);
    expect(await sessions.find(first.secret)).toBeUndefined();
    await database.write([sessions.endOthers('usr_a', third.session.id)]);
    expect(await sessions.find(second.secret)).toBeUndefined();
    expect(await sessions.find(third.secret)).toBeDefined();
    expect(await sessions.find(stranger.secret)).toBeDefined();
    expect((await sessions.listForUser('usr_a')).map(({ id }) => id)).toEqual([third.session.id]);
  });

  it('lets no unit rest on a session that has ended', async () => {
    const { database, sessions, open } = await world();
    const { session, secret } = await open();
    expect((await database.tryWrite([sessions.requireLive(session.id)])).committed).toBe(true);
    expect(await sessions.find(secret)).toEqual(session);
    await database.write([sessions.end(session.id)]);
    expect((await database.tryWrite([sessions.requireLive(session.id)])).committed).toBe(false);
    expect((await database.tryWrite([sessions.requireLive('sid_none')])).committed).toBe(false);
  });

  it('is gone after a week unused and after thirty days in any case', async () => {
    const { clock, sessions, open } = await world();
    const idle = await open();
    clock.advance(7 * day + hour);
    expect(await sessions.find(idle.secret)).toBeUndefined();

    const used = await open();
    for (let seen = 0; seen < 5; seen += 1) {
      clock.advance(6 * day - 60_000);
      expect(await sessions.find(used.secret)).toBeDefined();
    }
    clock.advance(hour);
    expect(await sessions.find(used.secret)).toBeUndefined();
  });

  it('changes its secret when the person proves themselves again, and keeps its sid (security-69)', async () => {
    const { clock, database, sessions, open } = await world();
    const { session, secret } = await open();
    clock.advance(2 * day);
    const renewed = sessions.renew(session, secret, ['pwd']);
    const rival = sessions.renew(session, secret, ['pwd']);
    await database.write([renewed.statement]);
    expect((await database.tryWrite([rival.statement])).committed).toBe(false);
    expect(await sessions.find(secret)).toBeUndefined();
    const found = await sessions.find(renewed.secret);
    expect(found?.id).toBe(session.id);
    expect(found?.authenticatedAt).toBeGreaterThan(session.authenticatedAt);
  });
});
