import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { expectPage, logIn } from '../harness/front-door.ts';
import { send } from '../harness/send.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { passSignInPages } from '../harness/sign-in.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor } from '../harness/visitor.ts';
import { authjs } from './authjs.ts';
import { betterAuthGeneric } from './better-auth.ts';
import { expressOpenidConnect } from './express-openid-connect.ts';
import { oauth4webapi } from './oauth4webapi.ts';
import { openidClient } from './openid-client.ts';
import { passportOpenidConnect } from './passport-openidconnect.ts';
import { startRelyingParty, type RelyingParty } from './relying-party.ts';

const libraries = [
  openidClient,
  oauth4webapi,
  passportOpenidConnect,
  expressOpenidConnect,
  authjs,
  betterAuthGeneric,
];

let tessera: RunningTessera;
let world: SignInWorld;
beforeAll(async () => {
  tessera = await startTessera('sqlite');
  world = await createSignInWorld(tessera.urls, tessera.setUpLink);
});
afterAll(() => tessera?.close());

describe.each(libraries)('$name, as it is published', (library) => {
  const visitor = createVisitor();
  let relyingParty: RelyingParty;
  let homes: readonly string[];
  let close: (() => Promise<void>) | undefined;
  beforeAll(async () => {
    ({ relyingParty, homes, close } = await startRelyingParty(library, {
      call: world.call,
      teamId: world.team.id,
      issuer: tessera.urls.origin,
    }));
  });
  afterAll(() => close?.());

  const asksForLogin = async (): Promise<boolean> => {
    const page = await visitor.visit(await relyingParty.begin(visitor));
    return page.status === 200 && page.text.includes('id="login-submit"');
  };
  const askUserinfo = (accessToken: string) =>
    send(`${tessera.urls.api}/login/oauth/userinfo`, { headers: { authorization: `Bearer ${accessToken}` } });

  test('signs a person in', { timeout: 60_000 }, async () => {
    expect(await relyingParty.find(visitor)).toBeUndefined();
    const begin = await relyingParty.begin(visitor);
    await relyingParty.finish(visitor, await passSignInPages(visitor, begin, world.admin));
    const found = await relyingParty.find(visitor);
    expect(found).toMatchObject({ email: world.admin.email, name: world.admin.name });
    const userinfo = await askUserinfo(found?.accessToken ?? '');
    expect(userinfo.status).toBe(200);
    expect(userinfo.json()).toMatchObject({ sub: found?.sub });
  });

  test('renews the tokens', async () => {
    const before = await relyingParty.find(visitor);
    await relyingParty.renew(visitor);
    const after = await relyingParty.find(visitor);
    expect(after).toMatchObject({ sub: before?.sub, email: before?.email });
    expect(after?.accessToken).not.toBe(before?.accessToken);
    expect((await askUserinfo(after?.accessToken ?? '')).status).toBe(200);
    // Each refresh token is good for one use, so only a client that kept the new one can do it again.
    await relyingParty.renew(visitor);
    expect((await relyingParty.find(visitor))?.accessToken).not.toBe(after?.accessToken);
  });

  test('signs the person out, at Tessera too', async () => {
    const endSession = await relyingParty.signOut(visitor);
    expect(endSession.href.split('?', 1)[0]).toBe(`${tessera.urls.origin}/oauth/logout`);
    const answer = await visitor.visit(endSession, (url) => homes.includes(url.href.split('?', 1)[0] ?? ''));
    expect(homes).toContain(answer.location().href.split('?', 1)[0]);
    expect(await relyingParty.find(visitor)).toBeUndefined();
    expect(await asksForLogin()).toBe(true);
  });

  test('signs the person in again', async () => {
    const page = await visitor.visit(await relyingParty.begin(visitor));
    const redirectUri = `${homes[0]}${library.callbackPath}`;
    const answer = await visitor.follow(
      await logIn(visitor, page, world.admin),
      (url) => url.href.split('?', 1)[0] === redirectUri,
    );
    await relyingParty.finish(visitor, answer.location());
    expect(await relyingParty.find(visitor)).toMatchObject({ email: world.admin.email });
  });

  if (library.backchannelLogoutPath === undefined) return;
  test('hears of a logout elsewhere', { timeout: 60_000 }, async () => {
    const page = await visitor.visit(`${tessera.urls.origin}/oauth/logout`);
    await expectPage(visitor, await visitor.submit(page, 'logout', {}, 'logout-confirm'));
    await vi.waitFor(async () => expect(await relyingParty.find(visitor)).toBeUndefined(), {
      timeout: 50_000,
      interval: 200,
    });
  });
});
