import { expect, test } from 'vitest';
import { send, sendForm } from '../harness/send.ts';
import { createApp } from '../harness/sign-in-world.ts';
import { basic, describeSignIn } from './on-both-databases.ts';

describeSignIn('apps over REST', (place) => {
  const inTeam = (id: string) => ({ params: { id }, query: { teamId: place.world.team.id } });
  const body = (more: object = {}) => ({
    name: `App ${Math.random()}`,
    redirectUris: ['https://app.example.com/cb'],
    scopes: ['openid' as const],
    tokenEndpointAuthMethods: ['client_secret_basic' as const, 'client_secret_post' as const],
    signInAccess: 'anyone' as const,
    ...more,
  });
  const create = (more: object = {}) =>
    place.world.call('apps.create', { query: { teamId: place.world.team.id }, body: body(more) });
  const problem = (promise: Promise<unknown>) =>
    promise.then(
      () => undefined,
      (error: unknown) =>
        (error as { problem: { code: string; detail: string; mend: string; status: number } }).problem,
    );

  test('an app is read as it was made', async () => {
    const made = await create({ postLogoutRedirectUris: ['https://app.example.com/'], requirePkce: false });
    expect(made).toMatchObject({
      id: expect.stringMatching(/^cl_[0-9A-Za-z]{24}$/) as string,
      teamId: place.world.team.id,
      firstParty: false,
      idTokenSignedResponseAlg: 'RS256',
      requirePkce: false,
      secrets: [],
    });
    expect(await place.world.call('apps.get', inTeam(made.id))).toEqual(made);
    const changed = await place.world.call('apps.update', {
      ...inTeam(made.id),
      body: { requirePkce: true },
    });
    expect(changed).toMatchObject({ ...made, requirePkce: true, updatedAt: expect.any(Number) as number });
  });

  test.each([
    'http://app.example.com/cb',
    'https://app.example.com/cb#x',
    'https://*.example.com/cb',
    'https://user@app.example.com/cb',
    'javascript:alert(1)',
    'data:text/html,x',
    'myapp:/cb',
    'https://app.example.com/a/../cb',
  ])('a redirect URI that breaks the rules is refused with words: %s (security-47, 48, 49)', async (uri) => {
    expect(await problem(create({ redirectUris: [uri] }))).toMatchObject({
      status: 400,
      code: 'invalid_app',
      detail: expect.stringContaining('redirectUris') as string,
    });
  });

  test('what does not fit together is refused with words', async () => {
    for (const [more, words] of [
      [{ rotateRefreshTokens: false }, 'bound to a key'],
      [{ tokenEndpointAuthMethods: ['private_key_jwt'] }, 'keys to verify with'],
      [{ permissions: ['connector:write'] }, 'cannot be given to an app'],
      [{ redirectProjects: [{ projectId: 'prj_x', path: '/cb' }] }, 'no project'],
      [{ linkedProjects: [{ projectId: 'prj_x' }] }, 'no project'],
      [{ resources: ['orders:api#x'] }, 'resources'],
    ] as const) {
      expect(await problem(create(more))).toMatchObject({
        status: 400,
        detail: expect.stringContaining(words) as string,
      });
    }
  });

  test('a secret is shown once, works beside another, and not after its end (security-41)', async () => {
    const { id } = await create();
    const one = await place.world.call('app-secrets.create', inTeam(id));
    const two = await place.world.call('app-secrets.create', inTeam(id));
    expect(one.clientSecret).toMatch(/^vcs_[0-9A-Za-z]{49}$/);
    expect(await problem(place.world.call('app-secrets.create', inTeam(id)))).toMatchObject({
      status: 409,
      code: 'too_many_secrets',
    });
    const app = await place.world.call('apps.get', inTeam(id));
    expect(app.secrets.map(({ last4 }) => last4)).toEqual([
      one.clientSecret.slice(-4),
      two.clientSecret.slice(-4),
    ]);
    expect(JSON.stringify(app)).not.toContain(one.clientSecret);
    const use = async (clientSecret: string) =>
      (
        await sendForm(
          `${place.tessera.urls.api}/login/oauth/token`,
          { grant_type: 'client_credentials' },
          basic({ clientId: id, clientSecret }),
        )
      ).status;
    expect([await use(one.clientSecret), await use(two.clientSecret)]).toEqual([200, 200]);
    expect((await place.world.call('apps.get', inTeam(id))).secrets[0]?.lastUsedAt).toBeTypeOf('number');
    const { params, query } = inTeam(id);
    await place.world.call('app-secrets.delete', { params, query: { ...query, secretId: one.id } });
    expect([await use(one.clientSecret), await use(two.clientSecret)]).toEqual([401, 200]);
  });

  test('deleting an app ends its tokens (security-34)', async () => {
    const app = await createApp(place.world.call, place.world.team.id, { name: `Gone ${Math.random()}` });
    const tokenUrl = `${place.tessera.urls.api}/login/oauth/token`;
    const answer = await sendForm(tokenUrl, { grant_type: 'client_credentials' }, basic(app));
    expect(answer.status).toBe(200);
    await place.world.call('apps.delete', inTeam(app.clientId));
    expect((await sendForm(tokenUrl, { grant_type: 'client_credentials' }, basic(app))).status).toBe(401);
    expect(await problem(place.world.call('apps.get', inTeam(app.clientId)))).toMatchObject({ status: 404 });
  });

  test('another team’s app is not there', async () => {
    const { call } = place.world;
    const other = await call('teams.create', { body: { slug: `other-${Date.now()}`, name: 'Other' } });
    const { id } = await create();
    const elsewhere = { params: { id }, query: { teamId: other.id } };
    for (const attempt of [
      () => call('apps.get', elsewhere),
      () => call('apps.update', { ...elsewhere, body: { name: 'Mine now' } }),
      () => call('apps.delete', elsewhere),
      () => call('app-secrets.create', elsewhere),
    ]) {
      expect(await problem(attempt())).toMatchObject({ status: 404, code: 'not_found' });
    }
  });

  test('nobody without a token sees anything', async () => {
    const answer = await send(`${place.tessera.urls.api}/v1/apps/cl_x?teamId=${place.world.team.id}`);
    expect(answer.status).toBe(401);
  });
});
