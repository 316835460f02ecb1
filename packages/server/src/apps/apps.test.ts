import { hasValidChecksum, wireNames } from '@tessera/protocol';
import { expect, test } from 'vitest';
import { auditMigrations, createAudit } from '#audit';
import { changeMigrations, createChanges } from '#changes';
import { createShiftedClock } from '#clock';
import { createSealing, hashSecret } from '#sealing';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { appMigrations, createApps } from './index.ts';

const fields = {
  name: 'Acme Shop',
  redirectUris: ['https://shop.example.com/cb'],
  scopes: ['openid', 'email'],
  tokenEndpointAuthMethods: ['client_secret_basic'],
  signInAccess: 'anyone',
} as const;
const actor = { id: 'usr_a' };

describeOnBothDatabases('apps', (openDatabase) => {
  const open = async () => {
    const clock = createShiftedClock();
    const database = await openDatabase([...appMigrations, ...auditMigrations, ...changeMigrations], clock);
    const audit = createAudit({ database, clock });
    const sealing = createSealing(new Uint8Array(32));
    return {
      clock,
      audit,
      apps: createApps({
        database,
        clock,
        audit,
        changes: createChanges({ database, clock }),
        sealing,
        wire: wireNames('vercel'),
        clientIdDocuments: false,
      }),
    };
  };

  test('an app is kept as it was registered, and its registration is on the record', async () => {
    const { apps, audit } = await open();
    const app = await apps.create('team_a', fields, actor);
    expect(app).toMatchObject({ teamId: 'team_a', slug: 'acme-shop', firstParty: false });
    expect(await apps.find(app.id)).toEqual(app);
    expect(await audit.listOfTeam('team_a', { limit: 10 })).toMatchObject([
      { action: 'app.create', object: app.id },
    ]);
  });

  test('two apps never have names that look alike, also when they are made at once', async () => {
    const { apps } = await open();
    const results = await Promise.allSettled([
      apps.create('team_a', fields, actor),
      apps.create('team_b', { ...fields, name: ' acme  SHOP' }, actor),
    ]);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(apps.create('team_c', { ...fields, name: 'ACME SHOP' }, actor)).rejects.toMatchObject({
      code: 'app_name_taken',
    });
  });

  test('a slug that is taken gets an ending, unless somebody asked for it', async () => {
    const { apps } = await open();
    await apps.create('team_a', fields, actor);
    const other = await apps.create('team_a', { ...fields, name: 'Acme-Shop' }, actor);
    expect(other.slug).toMatch(/^acme-shop-[a-z0-9]{5}$/);
    const wanted = { ...fields, name: 'Third', slug: 'acme-shop' };
    await expect(apps.create('team_a', wanted, actor)).rejects.toMatchObject({ code: 'app_name_taken' });
  });

  test('rules of registration say which value is wrong and what to write', async () => {
    const { apps } = await open();
    const create = (changes: object) => apps.create('team_a', { ...fields, ...changes }, actor);
    for (const [changes, words] of [
      [{ redirectUris: ['https://a.example/#x'] }, /redirectUris: "https:\/\/a.example\/#x".*fragment/],
      [{ redirectUris: ['javascript:alert(1)'] }, /redirectUris/],
      [{ postLogoutRedirectUris: ['http://a.example/'] }, /postLogoutRedirectUris/],
      [{ backchannelLogoutUri: 'com.example.app:/x' }, /backchannelLogoutUri/],
      [{ redirectUris: ['https://a.example/', 'https://a.example/'] }, /twice/],
      [{ scopes: ['admin'] }, /scopes/],
      [{ tokenEndpointAuthMethods: ['none'], requirePkce: false }, /requirePkce/],
      [{ tokenEndpointAuthMethods: ['private_key_jwt'] }, /keys to verify with/],
      [{ tokenEndpointAuthMethods: ['workload_token'] }, /a project/],
      [{ jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } }, /jwks.*oct/],
      [{ jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' }] } }, /private part/],
      [{ jwks: { keys: [{ kty: 'EC' }] }, jwksUri: 'https://a.example/jwks' }, /jwksUri too/],
      [{ jwksUri: 'http://a.example/jwks' }, /jwksUri/],
      [{ permissions: ['connector:write'] }, /permissions: "connector:write"/],
      [{ resources: ['https://api.example/#x'] }, /resources/],
      [{ rotateRefreshTokens: false }, /rotateRefreshTokens.*bound to a key/],
    ] as const) {
      await expect(create(changes)).rejects.toMatchObject({
        code: 'invalid_app',
        description: expect.stringMatching(words) as string,
      });
    }
  });

  test('of two changes made on the same version one is refused', async () => {
    const { apps } = await open();
    const app = await apps.create('team_a', fields, actor);
    const results = await Promise.allSettled([
      apps.update(app, { name: 'One' }, actor),
      apps.update(app, { name: 'Two' }, actor),
    ]);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(results.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'app_changed' },
    });
  });

  test('what an administrator marked is no longer marked once what it may do has changed', async () => {
    const { apps, audit } = await open();
    const created = await apps.create('team_a', fields, actor);
    let app = await apps.update(created, { firstParty: true }, actor);
    app = await apps.update(app, { signInAccess: 'team', redirectUris: [...fields.redirectUris] }, actor);
    expect(app.firstParty).toBe(true);
    for (const change of [
      { redirectUris: [...fields.redirectUris, 'https://elsewhere.example/cb'] },
      { redirectProjects: [{ projectId: 'prj_a', environments: ['preview'], path: '/cb' }] },
      { scopes: ['openid'] },
      { permissions: ['project:read'] },
      { resources: ['https://api.example.com'] },
      { jwks: { keys: [{ kty: 'EC' }] } },
      { tokenEndpointAuthMethods: ['client_secret_post'] },
      { grantTypes: ['authorization_code'] },
    ] as const) {
      const changed = await apps.update(app, change, actor);
      expect(changed.firstParty, Object.keys(change).join()).toBe(false);
      expect((await apps.find(app.id))!.firstParty).toBe(false);
      const record = { object: app.id, after: { firstParty: false, changed: Object.keys(change) } };
      const unmarked = (await audit.listOfTeam('team_a', { limit: 100 })).filter(
        ({ action }) => action === 'app.unmark',
      );
      expect(unmarked).toContainEqual(expect.objectContaining(record));
      app = await apps.update(changed, { firstParty: true }, actor);
    }
  });

  test('a resource server is listed by apps of one team, however many ask at once', async () => {
    const { apps } = await open();
    const create = (teamId: string, name: string, more: object) =>
      apps.create(teamId, { ...fields, name, ...more }, actor);
    const results = await Promise.allSettled([
      create('team_a', 'A', { protectedResources: ['https://api.example/orders'] }),
      create('team_b', 'B', { resources: ['https://API.example:443/other'] }),
    ]);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(results.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: {
        code: 'resource_taken',
        description: expect.stringContaining('https://api.example') as string,
      },
    });
    const [winner, loser] =
      results[0].status === 'fulfilled' ? (['team_a', 'team_b'] as const) : (['team_b', 'team_a'] as const);
    const same = await create(winner, 'C', {
      resources: ['https://api.example/third', 'urn:example:orders'],
    });
    expect(await apps.find(same.id)).toEqual(same);
    // Loopback is nobody's.
    const other = await create(loser, 'D', { resources: ['http://localhost:4000', 'https://else.example'] });
    await create(winner, 'E', { resources: ['http://localhost:4000'] });
    for (const resource of ['https://api.example', 'urn:example:orders']) {
      const changes = { resources: [...other.resources, resource] };
      await expect(apps.update(other, changes, actor)).rejects.toMatchObject({ code: 'resource_taken' });
    }
    expect(await apps.find(other.id)).toEqual(other);
  });

  test('a secret is given out once and kept as a hash', async () => {
    const { apps } = await open();
    const app = await apps.create('team_a', fields, actor);
    const { secret, clientSecret } = await apps.createSecret(app, undefined, actor);
    expect(hasValidChecksum(clientSecret, 'vcs_')).toBe(true);
    expect(secret.last4).toBe(clientSecret.slice(-4));
    expect(await apps.findWithSecrets(app.id)).toEqual({
      app,
      secrets: [{ id: secret.id, hash: hashSecret(clientSecret), lastUsedAt: undefined }],
    });
    expect(JSON.stringify(await apps.listSecrets(app.id))).not.toContain(clientSecret);
  });

  test('at most two secrets are active, however many are asked for at once', async () => {
    const { apps, clock } = await open();
    const app = await apps.create('team_a', fields, actor);
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, () => apps.createSecret(app, clock.now() + 60_000, actor)),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(results.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'too_many_secrets' },
    });
    clock.advance(61_000);
    expect(await apps.findWithSecrets(app.id)).toEqual({ app, secrets: [] });
    const { secret } = await apps.createSecret(app, undefined, actor);
    await apps.deleteSecret(app, secret.id, actor);
    await expect(apps.deleteSecret(app, secret.id, actor)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('the use of a secret is noted, at most once a minute', async () => {
    const { apps, clock } = await open();
    const app = await apps.create('team_a', fields, actor);
    await apps.createSecret(app, undefined, actor);
    const live = async () => (await apps.findWithSecrets(app.id))!.secrets[0]!;
    await apps.noteSecretUse(await live());
    const first = (await live()).lastUsedAt;
    expect(first).toBeTypeOf('number');
    clock.advance(30_000);
    await apps.noteSecretUse(await live());
    expect((await live()).lastUsedAt).toBe(first);
    clock.advance(31_000);
    await apps.noteSecretUse(await live());
    expect((await live()).lastUsedAt).toBeGreaterThan(first!);
  });

  test('a deleted app is gone with its secrets', async () => {
    const { apps } = await open();
    const app = await apps.create('team_a', fields, actor);
    await apps.createSecret(app, undefined, actor);
    await apps.delete(app, [], actor);
    expect(await apps.find(app.id)).toBeUndefined();
    expect(await apps.listSecrets(app.id)).toEqual([]);
    await expect(apps.delete(app, [], actor)).rejects.toMatchObject({ code: 'not_found' });
  });
});
