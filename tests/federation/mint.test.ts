import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { databaseKinds } from '../harness/test-databases.ts';
import { createFederationWorld, type FederationWorld } from './federation-world.ts';

type Problem = { code: string; mend: string; reference: string };

describe.each(databaseKinds)('minting over REST on %s', (kind) => {
  let world: FederationWorld;
  beforeAll(async () => {
    world = await createFederationWorld(kind);
  });
  afterAll(() => world?.tessera.close());

  test('as @vercel/oidc refreshes: no body, source in the query, slug or id of the team', async () => {
    const { project, team, apiToken } = world;
    for (const name of [team.id, team.slug]) {
      const answer = await world.mint(
        apiToken,
        undefined,
        `/v1/projects/${project.id}/token?source=vercel-oidc-refresh&teamId=${name}`,
      );
      expect(answer.status).toBe(200);
      expect(answer.headers['cache-control']).toBe('no-store');
      const { token } = answer.json() as { token: string };
      expect(decodeJwt(token)).toMatchObject({
        environment: 'development',
        runtime: 'development',
        user_id: expect.stringMatching(/^usr_/),
        sub: 'owner:acme:project:shop:environment:development',
      });
    }
  });

  test('a person cannot have a token of a deployed environment, a builder none of another than its own', async () => {
    const refused = [
      await world.mint(world.apiToken, { environment: 'production' }),
      await world.mint(world.apiToken, { environment: 'preview' }),
      await world.mint(world.builderToken, { environment: 'staging' }),
    ];
    for (const answer of refused) {
      expect([answer.status, (answer.json() as Problem).code]).toEqual([403, 'workload_token_not_allowed']);
    }
  });

  test('a deployment must be of the project and environment', async () => {
    const { call, team, project } = world;
    const deployment = await call('deployments.create', {
      query: { teamId: team.id },
      body: { projectId: project.id, environment: 'production', upstream: 'http://127.0.0.1:9' },
    });
    const token = await world.mintToken(world.builderToken, { deploymentId: deployment.id });
    expect(decodeJwt(token)).toMatchObject({ deployment_id: deployment.id, environment: 'production' });
    for (const body of [
      { deploymentId: deployment.id, environment: 'preview' },
      { deploymentId: 'dpl_aaaaaaaaaaaaaaaaaaaaaaaa' },
    ]) {
      const answer = await world.mint(world.builderToken, body);
      expect([answer.status, (answer.json() as Problem).code]).toEqual([400, 'deployment_mismatch']);
    }
  });

  test('an audience is refused until it is on the project’s list, and the refusal says how it gets there', async () => {
    const { call, team, project } = world;
    const audience = 'https://sts.example.net';
    const refused = await world.mint(world.builderToken, { environment: 'production', audience });
    expect(refused.json()).toMatchObject({
      code: 'invalid_target',
      mend: expect.stringContaining('PATCH /v9/projects/shop'),
      reference: expect.stringMatching(/^re[fq]_/),
    });
    await call('projects.update', {
      params: { idOrName: project.name },
      query: { teamId: team.id },
      body: { oidcTokenConfig: { audiences: [audience] } },
    });
    const token = await world.mintToken(world.builderToken, { environment: 'production', audience });
    expect(decodeJwt(token).aud).toBe(audience);
  });

  test('every mint is an audit record with its jti, and never the token', async () => {
    const token = await world.mintToken(world.builderToken, { environment: 'production', source: 'ci' });
    const { jti } = decodeJwt(token);
    const { records } = await world.call('audit-log.list', { query: { teamId: world.team.id } });
    const record = records.find(({ object }) => object === jti);
    expect(record).toMatchObject({
      action: 'workload-token.mint',
      reference: expect.stringMatching(/^re[fq]_/),
      after: { projectId: world.project.id, environment: 'production', source: 'ci' },
    });
    expect(JSON.stringify(records)).not.toContain(token.split('.')[2]);
  });

  test('another team, an unknown project, no bearer: refused in the right shape', async () => {
    const { call, apiToken, project, team } = world;
    const other = await call('teams.create', { body: { slug: 'other', name: 'Other' } });
    const path = (idOrName: string, query: string) => `/v1/projects/${idOrName}/token?${query}`;
    for (const refused of [
      await world.mint(apiToken, {}, path(project.id, `teamId=${other.id}`)),
      await world.mint(apiToken, {}, path('nothing', `slug=${team.slug}`)),
      await world.mint(world.builderToken, { environment: 'production' }, path(project.id, 'slug=other')),
    ]) {
      expect([refused.status, refused.headers['content-type']]).toEqual([404, 'application/problem+json']);
    }
    expect((await world.mint('vct_wrong')).status).toBe(401);
  });

  test.each([
    [{ environment: 'PRODUCTION' }],
    [{ environment: 'production:x' }],
    [{ audience: '' }],
    [{ audience: 'two words' }],
    [{ unknown: true }],
    [['list']],
    [{ environment: 7 }],
  ])('a body that is wrong is a 400: %j', async (body) => {
    expect((await world.mint(world.builderToken, body)).status).toBe(400);
  });
});
