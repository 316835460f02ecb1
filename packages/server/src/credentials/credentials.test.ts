import { describe, expect, it } from 'vitest';
import { changeMigrations, createChanges } from '#changes';
import { createShiftedClock } from '#clock';
import { codeMigrations, createCodes } from '#codes';
import { createLimits, endSiteOf, limitMigrations, networkOf } from '#limits';
import { createPasswords } from '#passwords';
import { createSealing } from '#sealing';
import { createUsers, userMigrations } from '#users';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { credentialMigrations } from './credential-migrations.ts';
import { createCredentials } from './credentials.ts';
import { passwordProblem } from './password-policy.ts';
import { createSetupLinks } from './setup-links.ts';

const weak = { memory: 64, passes: 1, parallelism: 1 };
const password = 'quiet rivers carry small boats';

describeOnBothDatabases('credentials', (openDatabase) => {
  async function world() {
    const clock = createShiftedClock();
    const database = await openDatabase(
      [
        ...changeMigrations,
        ...codeMigrations,
        ...limitMigrations,
        ...userMigrations,
        ...credentialMigrations,
      ],
      clock,
    );
    const users = createUsers({ database, clock, changes: createChanges({ database, clock }) });
    const limits = createLimits({ database, sealing: createSealing(new Uint8Array(32).fill(1)) });
    const credentialsWith = (parameters: typeof weak) =>
      createCredentials({ database, clock, limits, users, passwords: createPasswords({ parameters }) });
    const credentials = credentialsWith(weak);
    const { user, statement } = await users.create({ email: 'ada@example.com' });
    await database.write([statement, (await credentials.preparePassword(password))(user.id)]);
    const login = (
      given: { email?: string; password?: string; clientAddress?: string },
      using = credentials,
    ) => using.verifyPassword({ email: 'ada@example.com', password, clientAddress: '192.0.2.1', ...given });
    return { clock, database, credentials, credentialsWith, login, user };
  }

  it('knows a person by the right password alone', async () => {
    const { login, user } = await world();
    expect((await login({}))?.user).toEqual(user);
    expect((await login({ email: 'ADA@example.com' }))?.amr).toEqual(['pwd']);
    expect(await login({ password: `${password} ` })).toBeUndefined();
    expect(await login({ email: 'nobody@example.com' })).toBeUndefined();
  });

  it('hashes again when the stored hash is weaker than ours of today', async () => {
    const { database, credentialsWith, login } = await world();
    const stronger = credentialsWith({ memory: 128, passes: 1, parallelism: 1 });
    const first = await login({}, stronger);
    await database.write(first?.statements ?? []);
    expect(first?.statements).toHaveLength(4);
    expect((await login({}, stronger))?.statements).toHaveLength(3);
  });

  it('stops guessing at one account, and lets its owner in from elsewhere', async () => {
    const { clock, login } = await world();
    const guesses = Array.from({ length: 14 }, () => login({ password: 'not the right sentence' }));
    const outcomes = await Promise.allSettled(guesses);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(4);
    await expect(login({})).rejects.toMatchObject({ code: 'too_many_tries', status: 429 });
    expect(await login({ clientAddress: '192.0.2.2' })).toBeDefined();
    clock.advance(15 * 60_000 + 1000);
    expect(await login({})).toBeDefined();
  });

  it('answers the same for an address that nobody has', async () => {
    const { login } = await world();
    for (let at = 0; at < 10; at += 1) expect(await login({ email: 'nobody@example.com' })).toBeUndefined();
    await expect(login({ email: 'nobody@example.com' })).rejects.toMatchObject({ code: 'too_many_tries' });
  });

  it('stops a network that tries many accounts, whatever its address of the moment', async () => {
    const { login } = await world();
    for (let at = 0; at < 60; at += 1) {
      await login({ email: `p${at}@example.com`, clientAddress: `2001:db8:0:${at.toString(16)}::1` });
    }
    await expect(login({ clientAddress: '2001:db8::ffff' })).rejects.toMatchObject({
      code: 'too_many_tries',
    });
    expect(await login({ clientAddress: '2001:db8:1::1' })).toBeDefined();
  });

  it('lets no line, of however many networks, lock an account from everywhere', async () => {
    const { login } = await world();
    const guesses = Array.from({ length: 110 }, (_, at) =>
      login({ password: 'not the right sentence', clientAddress: `2001:db8:0:${at.toString(16)}::1` }),
    );
    const outcomes = await Promise.allSettled(guesses);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    expect(await login({ clientAddress: '192.0.2.2' })).toBeDefined();
  });

  it('gives the right password its tries back', async () => {
    const { database, login } = await world();
    for (let at = 0; at < 30; at += 1) {
      const verified = await login({});
      await database.write(verified?.statements ?? []);
    }
    expect(await login({})).toBeDefined();
  });

  it('makes set-up links that are used once', async () => {
    const { database, clock } = await world();
    const links = createSetupLinks({ codes: createCodes({ database }), origin: 'https://id.example.com' });
    const { url, statement } = links.invitation({ email: 'eve@example.com', invitedBy: 'usr_a' });
    await database.write([statement]);
    const secret = new URL(url).searchParams.get('token') ?? '';
    expect(await links.find(secret)).toEqual({
      purpose: { kind: 'invitation', email: 'eve@example.com', invitedBy: 'usr_a' },
      state: 'live',
    });
    const outcomes = await Promise.all([1, 2, 3].map(() => database.tryWrite([links.redeem(secret)])));
    expect(outcomes.filter(({ committed }) => committed)).toHaveLength(1);
    expect((await links.find(secret))?.state).toBe('used');
    const later = links.administrator();
    await database.write([later.statement]);
    clock.advance(25 * 60 * 60 * 1000);
    expect((await links.find(new URL(later.url).searchParams.get('token') ?? ''))?.state).toBe('expired');
  });
});

describe('the password policy', () => {
  const context = { email: 'ada.lovelace@example.com', name: 'Ada Lovelace' };

  it.each([
    'quiet rivers carry small boats',
    'correct horse battery staple',
    'x9$kQ2!vP7@mL4z',
    'дождь идёт над крышей дома',
    '雨が降っています今日は寒いですね毎日',
    'Wir gehen heute früh schlafen',
  ])('takes %s', (good) => {
    expect(passwordProblem(good, context)).toBeUndefined();
  });

  it.each([
    'short',
    'fourteen-chars',
    'passwordpassword',
    'P4ssw0rdP4ssw0rd!',
    '123456789012345678',
    'qwertyuiopasdfghjkl',
    'aaaaaaaaaaaaaaaaaaaa',
    'abcabcabcabcabcabc',
    'iloveyouforever2026',
    'adalovelace@example.com',
    'TesseraTessera2026',
    'Welcome-Admin-2026!',
    'letmeinletmeinletmein',
    'a'.repeat(1025),
  ])('refuses %s', (bad) => {
    expect(passwordProblem(bad, context)).toBeTypeOf('string');
  });
});

describe('the network of an address', () => {
  it('has one name in every spelling', () => {
    const spellings = ['2001:db8::1', '2001:DB8:0:0::2', '2001:0db8:0000:0000:ffff::', '2001:db8::1%eth0'];
    expect(new Set(spellings.map(networkOf))).toEqual(new Set(['2001:db8::/64']));
    expect(['::ffff:192.0.2.1', '::ffff:c000:201', '192.0.2.1'].map(networkOf)).toEqual(
      Array.from({ length: 3 }, () => '192.0.2.1'),
    );
    expect([networkOf('not an address'), networkOf('')]).toEqual(['unknown', 'unknown']);
    expect(['2001:db8:7:1::1', '2001:db8:7:ffff::1'].map(endSiteOf)).toEqual(
      Array.from({ length: 2 }, () => '2001:db8:7::/48'),
    );
    expect(endSiteOf('::ffff:192.0.2.1')).toBe('192.0.2.1');
  });
});
