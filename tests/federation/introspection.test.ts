import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiToken, revokeApiToken, setUpPerson } from '../harness/front-door.ts';
import { sendForm } from '../harness/send.ts';
import { createApp } from '../harness/sign-in-world.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createFederationWorld, createProject, type FederationWorld } from './federation-world.ts';

const aws = 'sts.amazonaws.com';

describe.each(databaseKinds)('introspection of workload tokens on %s', (kind) => {
  let world: FederationWorld;
  beforeAll(async () => {
    world = await createFederationWorld(kind);
    await world.configure({ audiences: [aws] });
  });
  afterAll(() => world?.tessera.close());

  const production = { environment: 'production' };
  const isActive = async (token: string) => (await world.introspect(token))['active'];

  /** A token and what it was exchanged for: both end when what they rest on does. */
  async function mintBoth(bearer: string, body: object, project = world.project): Promise<string[]> {
    const path = `/v1/projects/${project.id}/token?teamId=${world.team.id}`;
    const answer = await world.mint(bearer, body, path);
    if (answer.status !== 200) throw new Error(`no token, but ${answer.status}: ${answer.text}`);
    const { token } = answer.json() as { token: string };
    return [token, await world.exchangeToken(token, aws)];
  }

  /** Introspects at once: nothing is remembered, so the five seconds of the promise are not needed. */
  async function expectAll(tokens: readonly string[], active: boolean): Promise<void> {
    for (const token of tokens) expect(await isActive(token)).toBe(active);
  }

  /** A member with an API token of their own, named as they are. */
  async function invite(name: string, role: 'developer' | 'owner') {
    const email = `${name}@acme.example`;
    const { invitation } = await world.call('members.add', {
      params: { id: world.team.id },
      body: { email, role },
    });
    const password = 'a long enough passphrase, 7 words';
    const person = await setUpPerson(invitation!.url, { email, name, password });
    const { members } = await world.call('members.list', { params: { id: world.team.id } });
    const { userId } = members.find((member) => member.email === email)!;
    return { person, userId, params: { id: world.team.id, userId } };
  }

  test('tells an app of the team what the token says', async () => {
    for (const token of await mintBoth(world.builderToken, production)) {
      expect(await world.introspect(token)).toEqual({
        active: true,
        token_type: 'Bearer',
        ...decodeJwt(token),
      });
    }
  });

  test('an app of another team learns nothing, nor anybody without a client', async () => {
    const [token = ''] = await mintBoth(world.builderToken, production);
    const url = `${world.tessera.urls.api}/login/oauth/token/introspect`;
    const team = await world.call('teams.create', { body: { slug: 'strangers' } });
    const { clientId, clientSecret } = await createApp(world.call, team.id, { name: 'Stranger' });
    const ask = (asked: string) =>
      sendForm(url, { token: asked, client_id: clientId, client_secret: clientSecret }, {});
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
    for (const asked of [token, 'x.y.z', `${token}x`]) {
      const answer = await sendForm(url, { token: asked }, { authorization: `Basic ${basic}` });
      expect([answer.status, answer.json()]).toEqual([200, { active: false }]);
    }
    expect((await ask(token)).status).toBe(401);
    expect((await sendForm(url, { token })).status).toBe(401);
  });

  test('a token ends with its project, and with the switch of its project (federation-20)', async () => {
    const doomed = await createProject(world.call, world.team.id, 'doomed');
    await world.call('projects.update', {
      params: { idOrName: doomed.id },
      query: { teamId: world.team.id },
      body: { oidcTokenConfig: { audiences: [aws] } },
    });
    const tokens = await mintBoth(world.apiToken, {}, doomed);
    await expectAll(tokens, true);
    await world.call('projects.delete', {
      params: { idOrName: doomed.id },
      query: { teamId: world.team.id },
    });
    await expectAll(tokens, false);
    expect((await world.exchange({ token: tokens[0], aud: aws })).status).toBe(400);

    const others = await mintBoth(world.builderToken, production);
    await world.configure({ enabled: false });
    await expectAll(others, false);
    await world.configure({ enabled: true });
    await expectAll(others, true);
  });

  test('a token ends with its environment', async () => {
    const address = { params: { idOrName: world.project.id }, query: { teamId: world.team.id } };
    await world.call('projects.update', { ...address, body: { environments: ['staging'] } });
    const stager = await createApiToken(world.tessera.urls.origin, world.admin, {
      name: 'stager',
      teamSlug: world.team.slug,
      builds: [{ projectId: world.project.id, environment: 'staging' }],
    });
    const tokens = await mintBoth(stager, { environment: 'staging' });
    await expectAll(tokens, true);
    await world.call('projects.update', { ...address, body: { environments: [] } });
    await expectAll(tokens, false);
  });

  test('a token ends with its deployment (federation-20)', async () => {
    const query = { teamId: world.team.id };
    const { id } = await world.call('deployments.create', {
      query,
      body: { projectId: world.project.id, environment: 'production', upstream: 'http://127.0.0.1:9' },
    });
    const tokens = await mintBoth(world.builderToken, { deploymentId: id });
    await expectAll(tokens, true);
    await world.call('deployments.delete', { params: { id }, query });
    await expectAll(tokens, false);
    expect((await world.exchange({ token: tokens[0], aud: aws })).status).toBe(400);
  });

  test('a development token ends with its person’s place in the team, or a lower role (federation-20)', async () => {
    const { person, params } = await invite('dev', 'developer');
    const bearer = await createApiToken(world.tessera.urls.origin, person, { name: 'dev' });
    const tokens = await mintBoth(bearer, {});
    await expectAll(tokens, true);
    await world.call('members.update', { params, body: { role: 'viewer' } });
    await expectAll(tokens, false);
    expect((await world.mint(bearer, {})).status).toBe(403);
    await world.call('members.update', { params, body: { role: 'member' } });
    await expectAll(tokens, true);
    await world.call('members.remove', { params });
    await expectAll(tokens, false);
    expect((await world.mint(bearer, {})).status).toBe(404);
    expect((await world.exchange({ token: tokens[0], aud: aws })).status).toBe(400);
  });

  test('a build’s token ends with the API token that it was minted with, and with its owner’s role', async () => {
    const { person, params } = await invite('olga', 'owner');
    const builds = [{ projectId: world.project.id, environment: 'production' }];
    const make = (name: string) =>
      createApiToken(world.tessera.urls.origin, person, { name, teamSlug: world.team.slug, builds });
    const revoked = await mintBoth(await make('night-builds'), production);
    const kept = await mintBoth(await make('day-builds'), production);
    await revokeApiToken(world.tessera.urls.origin, person, 'night-builds');
    await expectAll(revoked, false);
    await expectAll(kept, true);
    await world.call('members.update', { params, body: { role: 'member' } });
    await expectAll(kept, false);
    expect((await world.exchange({ token: kept[0], aud: aws })).status).toBe(400);
  });

  test('a token that is over is inactive', async () => {
    const tokens = await mintBoth(world.builderToken, production);
    await expectAll(tokens, true);
    world.tessera.advance(3_601_000);
    await expectAll(tokens, false);
  });
});
