import { expect, test } from 'vitest';
import { createDevice, createDeviceApp, enterUserCode } from '../harness/device.ts';
import { describeSignIn } from '../sign-in/on-both-databases.ts';
import { openApp } from '../sign-in/open-app.ts';

describeSignIn('after a person took back what they allowed', (place) => {
  const takeBack = (appId: string) => place.world.call('authorized-apps.delete', { params: { appId } });

  test('a code that the app has kept gives nothing', async () => {
    const app = await openApp(place);
    await app.signIn();
    const { answer, codeVerifier } = await app.authorize();
    await takeBack(app.clientId);
    const refused = await app.token({
      grant_type: 'authorization_code',
      code: answer.searchParams.get('code') ?? '',
      redirect_uri: app.redirectUri,
      code_verifier: codeVerifier,
    });
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('"invalid_grant"')]);
  });

  test('a device that was allowed and has not asked since gets nothing', async () => {
    const { tessera, world } = place;
    const app = await createDeviceApp(world.call, world.team.id, 'Television');
    const device = createDevice(tessera.urls.api, app);
    const { device_code: code, user_code: userCode, verification_uri: address } = await device.begin();
    const page = await enterUserCode(world.admin.visitor, address, world.admin, userCode);
    await world.admin.visitor.submit(page, 'consent', {}, 'consent-allow');
    await takeBack(app.clientId);
    const refused = await device.ask(code);
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('"access_denied"')]);
  });

  test('what is allowed anew counts anew', async () => {
    const app = await openApp(place);
    await app.signIn();
    await takeBack(app.clientId);
    expect((await app.redeem()).status).toBe(200);
  });
});
