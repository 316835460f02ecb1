import { describe, expect, it } from 'vitest';
import { changeMigrations, createChanges } from '#changes';
import { createShiftedClock } from '#clock';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { emailProblem, personNameProblem, usernameFromEmail } from './user.ts';
import { userMigrations } from './user-migrations.ts';
import { createUsers } from './users.ts';

describeOnBothDatabases('users', (openDatabase) => {
  async function world() {
    const clock = createShiftedClock();
    const database = await openDatabase([...userMigrations, ...changeMigrations], clock);
    const changes = createChanges({ database, clock });
    return { database, clock, users: createUsers({ database, clock, changes }) };
  }

  it('finds a person by id and by address in any case', async () => {
    const { database, users } = await world();
    expect(await users.hasAny()).toBe(false);
    const { user, statement } = await users.create({ email: ' Ada@Example.com', name: 'Ada Lovelace' });
    await database.write([statement]);
    expect(await users.find(user.id)).toEqual(user);
    expect(await users.findByEmail('ADA@example.COM ')).toEqual(user);
    expect(user).toMatchObject({ email: 'Ada@Example.com', username: 'ada', isInstanceAdmin: false });
    expect(await users.findByEmail('eve@example.com')).toBeUndefined();
    expect(await users.hasAny()).toBe(true);
  });

  it('refuses a second person with the same address, and gives a free username', async () => {
    const { database, users } = await world();
    const first = await users.create({ email: 'ada@example.com' });
    await database.write([first.statement]);
    const same = await users.create({ email: 'ADA@example.com' });
    expect(await database.tryWrite([same.statement])).toEqual({ committed: false, refusedAt: 0 });
    const other = await users.create({ email: 'ada@example.org' });
    await database.write([other.statement]);
    expect(other.user.username).toMatch(/^ada-[0-9a-z]{5}$/);
  });

  it('leaves one administrator who can log in, whoever disables whom in parallel', async () => {
    const { database, users } = await world();
    const administrators = await Promise.all(
      Array.from({ length: 4 }, (_, index) =>
        users.create({ email: `a${index}@example.com`, isInstanceAdmin: true, isFirst: index === 0 }),
      ),
    );
    for (const { statement } of administrators) await database.write([statement]);
    const outcomes = await Promise.all(
      administrators.map(({ user }) => database.tryWrite(users.disable(user.id))),
    );
    expect(outcomes.filter(({ committed }) => committed)).toHaveLength(3);
    const left = (await users.list(10)).filter(({ disabledAt }) => disabledAt === undefined);
    expect(left).toHaveLength(1);
    const disabled = administrators.find(({ user }) => user.id !== left[0]?.id)?.user.id ?? '';
    await database.write(users.enable(disabled));
    await database.write(users.disable(left[0]?.id ?? ''));
    expect((await users.find(disabled))?.disabledAt).toBeUndefined();
  });

  it('lets only one person set the instance up, whatever runs in parallel', async () => {
    const { database, users } = await world();
    const units = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        users.create({ email: `p${index}@example.com`, isFirst: true }),
      ),
    );
    const outcomes = await Promise.all(units.map(({ statement }) => database.tryWrite([statement])));
    expect(outcomes.filter(({ committed }) => committed)).toHaveLength(1);
    expect(await users.list(100)).toHaveLength(1);
  });

  it('remembers a person until they are renamed, disabled or enabled', async () => {
    const { database, users } = await world();
    const people = await Promise.all(
      ['a', 'b'].map((name) => users.create({ email: `${name}@example.com` })),
    );
    for (const { statement } of people) await database.write([statement]);
    const id = people[0]?.user.id ?? '';
    expect(await users.findRemembered(id)).toBe(await users.findRemembered(id));
    await database.write(users.updateName(id, 'Ada'));
    expect((await users.findRemembered(id))?.name).toBe('Ada');
    await database.write(users.disable(id));
    expect((await users.findRemembered(id))?.disabledAt).toBeTypeOf('number');
    await database.write(users.enable(id));
    expect((await users.findRemembered(id))?.disabledAt).toBeUndefined();
  });

  it('changes the name and says when', async () => {
    const { database, users, clock } = await world();
    const { user, statement } = await users.create({ email: 'ada@example.com', name: 'Ada' });
    await database.write([statement]);
    clock.advance(1000);
    await database.write(users.updateName(user.id, ' Ada Lovelace '));
    const changed = await users.find(user.id);
    expect(changed?.name).toBe('Ada Lovelace');
    expect(changed?.updatedAt).toBeGreaterThanOrEqual(user.updatedAt + 1000);
    expect(await database.tryWrite(users.updateName('usr_nobody', 'X'))).toMatchObject({
      committed: false,
    });
  });
});

describe('what people write about themselves', () => {
  it('takes addresses that mail could reach and refuses what cannot be one', () => {
    for (const good of ['a@b', 'ada+x@example.com', 'ünï@exämple.com', "o'neil@example.ie"]) {
      expect(emailProblem(good)).toBeUndefined();
    }
    for (const bad of [
      '',
      'ada',
      '@example.com',
      'a@b@c',
      'a b@c.de',
      'a@b\u200b.de',
      `${'a'.repeat(250)}@b.de`,
    ]) {
      expect(emailProblem(bad)).toBeTypeOf('string');
    }
  });

  it('refuses names that could deceive on a page', () => {
    expect(personNameProblem('José Ñandú')).toBeUndefined();
    expect(personNameProblem('Ada\u202egnp')).toBeTypeOf('string');
    expect(personNameProblem(' ')).toBeTypeOf('string');
  });

  it('makes a username of any address', () => {
    expect(usernameFromEmail('Ada.Lovelace+x@example.com')).toBe('ada.lovelace-x');
    expect(usernameFromEmail('日本@example.com')).toBe('person');
  });
});
