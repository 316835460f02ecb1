import { expect, it } from 'vitest';
import { createSilentLogger } from '#logger';
import { apiTokenMigrations, createApiTokens } from '#api-tokens';
import { auditMigrations, createAudit } from '#audit';
import { changeMigrations, createChanges } from '#changes';
import { createShiftedClock } from '#clock';
import { codeMigrations, createCodes } from '#codes';
import { createCredentials, createSetupLinks, credentialMigrations } from '#credentials';
import { createHostTable } from '#http';
import { createPages } from '#pages';
import { createLimits, limitMigrations } from '#limits';
import { createPasswords } from '#passwords';
import { createProjects, projectMigrations } from '#projects';
import { createSealing } from '#sealing';
import { createSessions, sessionMigrations } from '#sessions';
import { createTeams, teamMigrations } from '#teams';
import { createUsers, userMigrations, type User, type Users } from '#users';
import { publicError } from '#errors';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { createAccount } from './account.ts';
import type { SignIn } from './entrance/consent.ts';
import { pageErrors } from './desk.ts';

const origin = 'https://id.example.com';
const password = 'quiet rivers carry small boats';
const weak = { memory: 64, passes: 1, parallelism: 1 };
const migrations = [
  changeMigrations,
  codeMigrations,
  auditMigrations,
  userMigrations,
  sessionMigrations,
  credentialMigrations,
  limitMigrations,
  teamMigrations,
  projectMigrations,
  apiTokenMigrations,
]
  .flat()
  .toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** A browser as a test needs it: keeps cookies, sends forms as they are on the page. */
function createBrowser(fetch: (request: Request) => Promise<Response>) {
  const jar = new Map<string, string>();
  const send = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (jar.size > 0) headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '));
    const response = await fetch(new Request(new URL(path, origin), { ...init, headers }));
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';');
      const [name = '', value = ''] = pair.split('=');
      if (cookie.includes('Max-Age=0')) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  };
  const submit = async (
    page: string,
    id: string,
    fields: Record<string, string>,
    headers: Record<string, string> = {},
  ) => {
    const form = new RegExp(`<form[^>]*id="${id}"[\\s\\S]*?</form>`).exec(page)?.[0] ?? '';
    const action = /action="([^"]+)"/.exec(form)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const hidden = [...form.matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(
      ([, name = '', value = '']): [string, string] => [name, value],
    );
    return send(action, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin, ...headers },
      body: new URLSearchParams([...hidden, ...Object.entries(fields)]),
    });
  };
  return { jar, send, submit, text: async (path: string) => (await send(path)).text() };
}

describeOnBothDatabases('the account pages', (openDatabase) => {
  async function world() {
    const clock = createShiftedClock();
    const database = await openDatabase(migrations, clock);
    const sealing = createSealing(new Uint8Array(32).fill(1));
    const audit = createAudit({ database, clock });
    const changes = createChanges({ database, clock });
    // Nothing disables people yet: the test says of whom it is so.
    const disabled = new Set<string>();
    const asDisabled = (user: User | undefined) =>
      user && disabled.has(user.email) ? { ...user, disabledAt: clock.now() } : user;
    const everybody = createUsers({ database, clock, changes });
    const users: Users = {
      ...everybody,
      find: async (id) => asDisabled(await everybody.find(id)),
      findByEmail: async (email) => asDisabled(await everybody.findByEmail(email)),
    };
    const sessions = createSessions({ database, clock });
    const passwords = createPasswords({ parameters: weak });
    const limits = createLimits({ database, sealing });
    const credentials = createCredentials({ database, clock, limits, passwords, users });
    const codes = createCodes({ database });
    const setupLinks = createSetupLinks({ codes, origin });
    const teams = createTeams({ database, clock, audit, changes });
    const projects = createProjects({ database, clock, audit, changes });
    const apiTokens = createApiTokens({
      database,
      clock,
      audit,
      findMembership: teams.findMembership,
      findProject: projects.find,
    });
    const pages = createPages({ origin });
    const account = createAccount({
      origin,
      api: `${origin}/api`,
      connect: `${origin}/connect`,
      deployments: { protocol: 'https:', port: '' },
      clock,
      codes,
      database,
      audit,
      sealing,
      pages,
      findLogo: () => Promise.resolve(undefined),
      users,
      sessions,
      credentials,
      setupLinks,
      teams,
      projects,
      apiTokens,
      authorizedApps: { list: async () => [], revoke: async () => {} },
      liveTests: {
        get: () => Promise.reject(publicError('not_found')),
        start: () => Promise.reject(publicError('not_found')),
        receive: () => Promise.reject(publicError('not_found')),
      },
      endSession: ({ id }) => [sessions.end(id)],
    });
    // A stand-in for the authorization server: one request, and what was decided about it.
    const decided: string[] = [];
    const signIn: SignIn = {
      describe: (id) => {
        if (id !== 'req_1') throw publicError('not_found');
        return Promise.resolve({
          app: { name: 'Northwind <Notes>', teamName: 'Northwind', verified: false },
          redirectUri: 'https://notes.example.org/callback',
          scopes: [{ name: 'openid', words: 'Know who you are', not: 'see your password' }],
        });
      },
      approve: (id, { user }) => Promise.resolve(void decided.push(`allow ${id} ${user.email}`)),
      cancel: (id) => Promise.resolve(void decided.push(`cancel ${id}`)),
    };
    const endSessionRequests = {
      describe: () => Promise.resolve({ app: { name: 'Notes' }, destination: undefined }),
      confirm: () => Promise.resolve(undefined),
    };
    const deviceSignIn = {
      claim: () => Promise.resolve(undefined),
      describe: () => Promise.reject(publicError('device_request_gone')),
      approve: () => Promise.resolve(),
      deny: () => Promise.resolve(),
    };
    const table = createHostTable(
      [
        {
          base: origin,
          doors: account.doors({ signIn, endSessionRequests, deviceSignIn }),
          errors: pageErrors(pages),
        },
      ],
      createSilentLogger(),
    );
    const fetch = async (request: Request): Promise<Response> => {
      const application = table.find('id.example.com');
      if (!application) throw new Error('the host is missing');
      return application.fetch(request, {
        incoming: undefined as never,
        facts: { reference: 'ref_0000000000000000', clientAddress: '192.0.2.1' },
      });
    };
    const browser = () => createBrowser(fetch);
    const setUp = async () => {
      const link = setupLinks.administrator();
      await database.write([link.statement]);
      const visitor = browser();
      const page = await visitor.text(link.url);
      await visitor.submit(page, 'set-up', { name: 'Ada', email: 'ada@example.com', password });
      return visitor;
    };
    return { browser, clock, database, decided, disabled, setUp, setupLinks, users };
  }

  it('sets the instance up once', async () => {
    const { browser, database, setupLinks, users } = await world();
    const link = setupLinks.administrator();
    const second = setupLinks.administrator();
    await database.write([link.statement, second.statement]);
    const ada = browser();
    const page = await ada.text(link.url);

    const short = await ada.submit(page, 'set-up', {
      name: 'Ada',
      email: 'ada@example.com',
      password: 'short',
    });
    expect(short.status).toBe(422);
    const again = await short.text();
    expect(again).toContain('at least 15 are needed');
    expect(again).toContain('value="ada@example.com"');
    expect(again).not.toContain('short"');

    const made = await ada.submit(again, 'set-up', { name: 'Ada', email: 'ada@example.com', password });
    expect(made.status).toBe(303);
    expect(made.headers.get('location')).toBe('/account');
    expect((await users.findByEmail('ada@example.com'))?.isInstanceAdmin).toBe(true);
    expect(await ada.text('/account')).toContain('ada@example.com');

    const used = await browser().send(link.url);
    expect(used.status).toBe(410);
    expect(await used.text()).toContain('id="error-code">setup_link_used<');
    expect((await browser().send(second.url)).status).toBe(410);
    expect((await browser().send('/setup?token=nonsense')).status).toBe(404);
  });

  it('logs in with the right password, says the same to all others, and keeps what was written', async () => {
    const { browser, setUp } = await world();
    await setUp();
    const visitor = browser();
    const page = await visitor.text('/login?return=%2Faccount%2Fteams');
    const answers = await Promise.all(
      ['ada@example.com', 'eve@example.com'].map((email) =>
        visitor.submit(page, 'login', { email, password: 'not the right sentence' }),
      ),
    );
    const [known, unknown] = await Promise.all(answers.map((answer) => answer.text()));
    expect(answers.map(({ status }) => status)).toEqual([422, 422]);
    expect(known).toContain('value="ada@example.com"');
    expect(unknown).toBe(known?.replace('value="ada@example.com"', 'value="eve@example.com"'));

    const before = visitor.jar.get('__Host-tessera_session');
    const right = await visitor.submit(page, 'login', { email: 'ADA@example.com', password });
    expect(right.status).toBe(303);
    expect(right.headers.get('location')).toBe('/account/teams');
    const cookie = right.headers.getSetCookie().find((value) => value.startsWith('__Host-tessera_session='));
    expect(cookie).toMatch(/Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=\d+$/);
    expect(visitor.jar.get('__Host-tessera_session')).not.toBe(before);
  });

  it('refuses a form of another browser, of another site, and without its token (security-74, 75)', async () => {
    const { browser, setUp } = await world();
    await setUp();
    const attacker = browser();
    const page = await attacker.text('/login');
    const victim = browser();
    await victim.text('/login');
    const fields = { email: 'ada@example.com', password };
    const forged = await victim.submit(page, 'login', fields);
    expect(forged.status).toBe(403);
    expect(await forged.text()).toContain('form_expired');
    expect(victim.jar.has('__Host-tessera_session')).toBe(false);
    expect((await attacker.submit(page, 'login', fields, { origin: 'https://evil.example' })).status).toBe(
      403,
    );
    expect((await attacker.submit(page, 'login', fields, { 'sec-fetch-site': 'same-site' })).status).toBe(
      403,
    );
    expect((await attacker.submit(page, 'login', { ...fields, csrf: '' })).status).toBe(400);
    expect((await attacker.submit(page, 'login', fields)).status).toBe(303);
  });

  it('gives a new secret at each login, keeps the session of the same person, and forgets at log-out (security-69, 73)', async () => {
    const { browser, setUp } = await world();
    const ada = await setUp();
    const first = ada.jar.get('__Host-tessera_session');
    const page = await ada.text('/login?confirm=1&return=/account');
    expect(page).toContain('Confirm that it is you');
    await ada.submit(page, 'login', { email: 'ada@example.com', password });
    const second = ada.jar.get('__Host-tessera_session');
    expect(second).not.toBe(first);
    const profile = await ada.text('/account');
    expect(profile.match(/This browser/g)).toHaveLength(1);
    expect(profile).not.toContain('End the session on');

    const thief = browser();
    thief.jar.set('__Host-tessera_session', first ?? '');
    expect((await thief.send('/account')).headers.get('location')).toBe('/login?return=%2Faccount');

    const out = await ada.submit(profile, 'sign-out', {});
    expect(out.headers.get('location')).toBe('/login');
    ada.jar.set('__Host-tessera_session', second ?? '');
    expect((await ada.send('/account')).status).toBe(303);
  });

  it('asks before an app gets anything, and ties the answer to that request and browser (security-80, 82)', async () => {
    const { browser, decided, setUp } = await world();
    const ada = await setUp();
    const answer = await ada.send('/oauth/consent?request=req_1');
    const page = await answer.text();
    expect(page).toContain('Northwind &lt;Notes&gt;');
    expect(page).toContain('id="consent-destination">notes.example.org<');
    expect(page).toContain('Not verified');
    expect(page).toContain('ada@example.com');
    const policy = answer.headers.get('content-security-policy');
    expect(policy).toContain("form-action 'self' https:;");
    expect(policy).toContain("frame-ancestors 'none'");

    expect((await ada.submit(page.replace('req_1', 'req_2'), 'consent', { decision: 'allow' })).status).toBe(
      403,
    );
    expect((await ada.submit(page, 'consent', { decision: 'maybe' })).status).toBe(400);
    expect((await ada.send('/oauth/consent?request=req_1', { method: 'HEAD' })).status).toBe(200);
    expect((await ada.send('/oauth/consent?request=req_1', { method: 'PUT' })).status).toBe(405);
    expect(decided).toEqual([]);

    const allowed = await ada.submit(page, 'consent', { decision: 'allow' });
    expect(allowed.status).toBe(303);
    expect(allowed.headers.get('location')).toBe('/oauth/authorize/req_1');
    await ada.submit(page, 'consent', { decision: 'cancel' });
    expect(decided).toEqual(['allow req_1 ada@example.com', 'cancel req_1']);
    expect((await browser().send('/oauth/consent?request=req_1')).headers.get('location')).toBe(
      '/login?request=req_1',
    );
  });

  it('makes and revokes API tokens, with a fresh login only', async () => {
    const { clock, setUp } = await world();
    const ada = await setUp();
    const teamsPage = await ada.text('/account/teams');
    const bad = await ada.submit(teamsPage, 'create-team', { name: 'Acme', slug: 'Acme Inc' });
    expect(bad.status).toBe(422);
    await ada.submit(teamsPage, 'create-team', { name: 'Acme', slug: 'acme' });
    const taken = await ada.submit(teamsPage, 'create-team', { name: 'Other', slug: 'acme' });
    expect(taken.status).toBe(422);

    const form = await ada.text('/account/tokens/new?team=acme');
    const nothing = await ada.submit(form, 'create-api-token', { name: 'deploys', reach: 'chosen' });
    expect(nothing.status).toBe(422);
    const made = await ada.submit(form, 'create-api-token', {
      name: 'deploys',
      lifetime: '7',
      reach: 'chosen',
      'permission:project:read': 'on',
      'permission:team:write': 'on',
    });
    const token = /id="api-token"[^>]*>([^<]+)</.exec(await made.text())?.[1];
    expect(token?.trim()).toMatch(/^tess_/);
    const list = await ada.text('/account/tokens');
    expect(list).toContain('deploys');
    expect(list).not.toContain(token);
    const revoke = list.replace('<form method="post"', '<form id="revoke" method="post"');
    await ada.submit(revoke, 'revoke', {});
    expect(await ada.text('/account/tokens')).not.toContain('deploys');

    expect((await ada.send('/account/tokens/new?team=other')).status).toBe(404);
    clock.advance(11 * 60_000);
    const stale = await ada.submit(form, 'create-api-token', { name: 'late' });
    expect(stale.headers.get('location')).toBe(
      '/login?confirm=1&return=%2Faccount%2Ftokens%2Fnew%3Fteam%3Dacme',
    );
    expect((await ada.send('/account/tokens/new?team=acme')).status).toBe(303);
  });

  it('lets an administrator invite, and the invited make an account for that address alone', async () => {
    const { browser, setUp, users } = await world();
    const ada = await setUp();
    const people = await ada.text('/account/people');
    const taken = await ada.submit(people, 'invite', { email: 'ADA@example.com' });
    expect(taken.status).toBe(422);
    const made = await ada.submit(people, 'invite', { email: 'grace@example.com' });
    const link = /id="set-up-link"[^>]*>([^<]+)</.exec(await made.text())?.[1]?.trim() ?? '';

    const grace = browser();
    const page = await grace.text(link);
    const fields = { name: 'Grace', email: 'root@example.com', password };
    expect((await grace.submit(page, 'set-up', fields)).status).toBe(303);
    expect(await users.findByEmail('root@example.com')).toBeUndefined();
    expect((await users.findByEmail('grace@example.com'))?.isInstanceAdmin).toBe(false);
    expect((await grace.send('/account/people')).status).toBe(404);
    expect(await grace.text('/account')).not.toContain('/account/people');
    expect((await browser().send(link)).status).toBe(410);
  });

  it('changes the name and ends other sessions, one or all (security-73)', async () => {
    const { browser, setUp } = await world();
    const ada = await setUp();
    const others = [browser(), browser(), browser()];
    for (const other of others) {
      const page = await other.text('/login');
      await other.submit(page, 'login', { email: 'ada@example.com', password });
    }
    const profile = await ada.text('/account');
    await ada.submit(profile, 'profile', { name: 'Ada Lovelace' });
    expect(await ada.text('/account')).toContain('value="Ada Lovelace"');
    expect((await ada.submit(profile, 'profile', { name: '\u202e' })).status).toBe(422);

    const endOne = profile.replace(/<form method="post" action="\/account\/sessions\/end"/, (form) =>
      form.replace('<form', '<form id="end-one"'),
    );
    await ada.submit(endOne, 'end-one', {});
    const live = async () =>
      (await Promise.all(others.map((other) => other.send('/account')))).filter(
        ({ status }) => status === 200,
      );
    expect(await live()).toHaveLength(2);
    await ada.submit(await ada.text('/account'), 'end-others', {});
    expect(await live()).toHaveLength(0);
    expect((await ada.send('/account')).status).toBe(200);
  });

  it('is closed to a disabled person at once (security-73)', async () => {
    const { browser, disabled, setUp } = await world();
    const ada = await setUp();
    disabled.add('ada@example.com');
    expect((await ada.send('/account')).status).toBe(303);
    const other = browser();
    const page = await other.text('/login');
    expect((await other.submit(page, 'login', { email: 'ada@example.com', password })).status).toBe(422);
  });
});
