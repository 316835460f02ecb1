import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient, ProblemError } from '../../packages/contract/src/index.ts';
import { createApiToken, logIn, setUpPerson, type Person } from '../harness/front-door.ts';
import { lookInto } from '../harness/look-into.ts';
import { send, sendForm } from '../harness/send.ts';
import { createSignInWorld, type SignInWorld, type TokenAnswer } from '../harness/sign-in-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor } from '../harness/visitor.ts';

const password = 'quite another passphrase, 6 words';

describe.each(databaseKinds)('a disabled account, on %s', (kind) => {
  let tessera: RunningTessera;
  let world: SignInWorld;
  let eve: Person;
  let eveToken: string;
  beforeAll(async () => {
    tessera = await startTessera(kind);
    world = await createSignInWorld(tessera.urls, tessera.setUpLink);
    const { invitation } = await world.call('members.add', {
      params: { id: world.team.id },
      body: { email: 'eve@acme.example', role: 'owner' },
    });
    eve = await setUpPerson(String(invitation?.url), { email: 'eve@acme.example', password, name: 'Eve' });
    eveToken = await createApiToken(tessera.urls.origin, eve, { name: 'mine' });
  });
  afterAll(() => tessera?.close());

  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'done',
      (error: unknown) => (error instanceof ProblemError ? error.problem.code : String(error)),
    );
  const standing = (route: 'users.disable' | 'users.enable', idOrEmail: string, call = world.call) =>
    call(route, { params: { idOrEmail } });
  const introspect = async (token: string): Promise<boolean> => {
    const basic = Buffer.from(`${world.app.clientId}:${world.app.clientSecret}`).toString('base64');
    const answer = await sendForm(
      `${tessera.urls.api}/login/oauth/token/introspect`,
      { token },
      { authorization: `Basic ${basic}` },
    );
    return (answer.json() as { active: boolean }).active;
  };
  const userinfo = async (token: string): Promise<number> =>
    (
      await send(`${tessera.urls.api}/login/oauth/userinfo`, {
        headers: { authorization: `Bearer ${token}` },
      })
    ).status;
  const account = async (): Promise<number> =>
    (await eve.visitor.open(`${tessera.urls.origin}/account`)).status;

  test('ends with its sessions and tokens at once, and nothing comes back with it (security-34, 73)', async () => {
    const { code, request } = await world.issueCode(eve.visitor);
    const tokens = (await world.redeem(code, request)).json() as TokenAnswer;
    const unused = await world.issueCode(eve.visitor);
    const asEve = createClient({ baseUrl: tessera.urls.api, token: eveToken });
    expect([await introspect(tokens.access_token), await userinfo(tokens.access_token)]).toEqual([true, 200]);
    expect(await codeOf(asEve('users.get', {}))).toBe('done');
    expect(await account()).toBe(200);

    const { user } = await standing('users.disable', 'EVE@acme.example');
    expect(user).toMatchObject({ email: 'eve@acme.example', disabledAt: expect.any(Number) as number });
    expect(await introspect(tokens.access_token)).toBe(false);
    expect(await introspect(tokens.refresh_token)).toBe(false);
    expect(await userinfo(tokens.access_token)).toBe(401);
    expect((await world.refresh(tokens.refresh_token)).json()).toMatchObject({ error: 'invalid_grant' });
    expect((await world.redeem(unused.code, unused.request)).json()).toMatchObject({
      error: 'invalid_grant',
    });
    expect(await codeOf(asEve('users.get', {}))).toBe('unauthorized');
    expect(await account()).toBe(303);
    const visitor = createVisitor();
    const login = await logIn(visitor, await visitor.visit(`${tessera.urls.origin}/login`), eve);
    expect(login.status).not.toBe(303);
    const again = await standing('users.disable', user.id);
    expect(again.user.disabledAt).toBe(user.disabledAt);

    expect((await standing('users.enable', user.id)).user.disabledAt).toBeNull();
    expect(await introspect(tokens.access_token)).toBe(false);
    expect((await world.refresh(tokens.refresh_token)).status).toBe(400);
    expect(await account()).toBe(303);
    const back = createVisitor();
    expect((await logIn(back, await back.visit(`${tessera.urls.origin}/login`), eve)).status).toBe(303);
    const records = await lookInto(
      tessera.database,
      `select "action" from "auditRecords" where "action" like 'user.%able' order by "id"`,
    );
    expect(records).toEqual([{ action: 'user.disable' }, { action: 'user.enable' }]);
  });

  test('is disabled by an administrator alone, and never by its own person', async () => {
    const asEve = createClient({ baseUrl: tessera.urls.api, token: eveToken });
    expect(await codeOf(standing('users.disable', world.admin.email, asEve))).toBe('forbidden');
    expect(await codeOf(standing('users.enable', 'eve@acme.example', asEve))).toBe('forbidden');
    expect(await codeOf(standing('users.disable', world.admin.email))).toBe('forbidden');
    expect(await codeOf(standing('users.disable', 'usr_nobody'))).toBe('not_found');
    expect(await codeOf(standing('users.disable', 'nobody@acme.example'))).toBe('not_found');
  });
});
