import { expect, test } from 'vitest';
import { findForm, textOf } from '../harness/html.ts';
import { send } from '../harness/send.ts';
import { describeSignIn } from './on-both-databases.ts';
import { openApp } from './open-app.ts';

describeSignIn('authorized apps', (place) => {
  const isAlive = async (token: string) =>
    (
      await send(`${place.tessera.urls.api}/login/oauth/userinfo`, {
        headers: { authorization: `Bearer ${token}` },
      })
    ).status === 200;
  const auditActions = async (object: string) => {
    const query = { teamId: place.world.team.id, limit: 100 };
    const { records } = await place.world.call('audit-log.list', { query });
    return records.filter((one) => one.object === object).map(({ action }) => action);
  };

  test('a person sees what they allowed, and takes it back with all its tokens (security-34, 84)', async () => {
    const app = await openApp(place);
    const tokens = await app.signIn();
    const { apps } = await place.world.call('authorized-apps.list', {});
    expect(apps.find(({ appId }) => appId === app.clientId)).toMatchObject({
      teamName: 'Acme',
      verified: true,
      allowed: [{ scopes: ['openid', 'profile', 'email', 'offline_access'], teamId: null, host: null }],
      lastUsedAt: expect.any(Number) as number,
    });
    const params = { appId: app.clientId };
    await place.world.call('authorized-apps.delete', { params });
    expect(await isAlive(tokens.access_token)).toBe(false);
    const refreshed = await app.token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token });
    expect(refreshed.status).toBe(400);
    const silent = (await app.authorize({ prompt: 'none' })).answer;
    expect(silent.searchParams.get('error')).toBe('consent_required');
    expect(await auditActions(app.clientId)).toContain('consent.revoke');
    const again = place.world.call('authorized-apps.delete', { params });
    await expect(again).rejects.toMatchObject({ problem: { status: 404 } });
  });

  test('the account page lists them, with a button for each (security-84)', async () => {
    const app = await openApp(place);
    const tokens = await app.signIn();
    const { visitor } = place.world.admin;
    const page = await visitor.visit(`${place.tessera.urls.origin}/account/apps`);
    expect(page.status).toBe(200);
    expect(page.text).toContain(`data-app="${app.clientId}"`);
    expect(textOf(page.text)).toContain('Acme');
    const { csrf } = findForm(page.text, 'sign-out', page.url).fields;
    const foreign = await send(`${place.tessera.urls.origin}/account/apps/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ csrf: csrf ?? '', app: app.clientId }).toString(),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        cookie: visitor.cookies.header(page.url) ?? '',
      },
    });
    expect(foreign.status).toBeGreaterThanOrEqual(400);
    expect(await isAlive(tokens.access_token)).toBe(true);
    // The row's own form: it has no id, so its token is read from the row.
    const row = page.text.slice(page.text.indexOf(`data-app="${app.clientId}"`));
    const own = /name="csrf" value="([^"]+)"/.exec(row)?.[1] ?? '';
    const answer = await send(`${place.tessera.urls.origin}/account/apps/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ csrf: own, app: app.clientId }).toString(),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        cookie: visitor.cookies.header(page.url) ?? '',
        origin: place.tessera.urls.origin,
        'sec-fetch-site': 'same-origin',
      },
    });
    expect(answer.status).toBe(303);
    expect(await isAlive(tokens.access_token)).toBe(false);
  });

  test('an app that a person allowed to see their profile does not see their other apps', async () => {
    const app = await openApp(place, { permissions: ['user:read'] });
    const { access_token: token } = await app.signIn({ scope: 'openid user:read' });
    const answer = await send(`${place.tessera.urls.api}/v1/authorized-apps`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(403);
  });

  test('a team ends all tokens of its app at once (security-34)', async () => {
    const app = await openApp(place);
    const [one, two] = [await app.signIn(), await app.signIn()];
    const own = (await app.token({ grant_type: 'client_credentials' })).json() as { access_token: string };
    const inTeam = { params: { id: app.clientId }, query: { teamId: place.world.team.id } };
    await place.world.call('apps.invalidate-tokens', inTeam);
    expect([await isAlive(one.access_token), await isAlive(two.access_token)]).toEqual([false, false]);
    expect(await app.introspect(own.access_token)).toEqual({ active: false });
    const refreshed = await app.token({ grant_type: 'refresh_token', refresh_token: one.refresh_token });
    expect(refreshed.status).toBe(400);
    expect(await auditActions(app.clientId)).toContain('app.invalidate-tokens');
    // The app itself goes on.
    expect(await isAlive((await app.signIn()).access_token)).toBe(true);
  });

  test('codes that were given before all tokens of an app were ended give none', async () => {
    const app = await openApp(place);
    const { answer, codeVerifier } = await app.authorize();
    await place.world.call('apps.invalidate-tokens', {
      params: { id: app.clientId },
      query: { teamId: place.world.team.id },
    });
    const redeemed = await app.token({
      grant_type: 'authorization_code',
      code: answer.searchParams.get('code') ?? '',
      redirect_uri: app.redirectUri,
      code_verifier: codeVerifier,
    });
    expect([redeemed.status, redeemed.text]).toEqual([400, expect.stringContaining('"invalid_grant"')]);
  });

  test('an instance administrator marks an app as the instance’s own: it asks nobody', async () => {
    const app = await openApp(place);
    const params = { id: app.clientId };
    const marked = await place.world.call('apps.mark', { params, body: { firstParty: true } });
    expect(marked.firstParty).toBe(true);
    const { answer } = await app.authorize({ prompt: 'none' });
    expect(answer.searchParams.get('code')).not.toBeNull();
    const update = place.world.call('apps.update', {
      params,
      query: { teamId: place.world.team.id },
      // It is no field that a team decides about.
      body: { firstParty: false } as object,
    });
    await expect(update).rejects.toMatchObject({ problem: { status: 400 } });
  });
});
