import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiToken } from '../harness/front-door.ts';
import type { Echo } from '../harness/echo-upstream.ts';
import { send } from '../harness/send.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { header, openTrustStage, type TrustStage } from './trust-stage.ts';

describe.each(databaseKinds)('trusted sources, on %s', (kind) => {
  let stage: TrustStage;
  let tessera: TrustStage['tessera'];
  let world: TrustStage['world'];
  let shop: TrustStage['shop'];
  let api: TrustStage['api'];
  let preview: TrustStage['preview'];
  let deploy: TrustStage['deploy'];
  let update: TrustStage['update'];
  let refusal: TrustStage['refusal'];
  let call: TrustStage['call'];
  let mint: TrustStage['mint'];
  let exchange: TrustStage['exchange'];

  beforeAll(async () => {
    stage = await openTrustStage(kind);
    ({ tessera, world, shop, api, preview, deploy, update, refusal, call, mint, exchange } = stage);
  });
  afterAll(() => stage?.close());

  const production = { slugs: ['production'] };

  test('a workload of the project calls its own environment, and the header goes no further', async () => {
    const token = await mint(shop, { environment: 'production', audience: shop.url });
    const answer = await call(shop.url, token);
    expect(answer.status, answer.text).toBe(200);
    const { headers } = answer.json() as Echo;
    expect(headers[header]).toBeUndefined();
    expect(headers['x-vercel-oidc-passport-token']).toBeUndefined();
    expect(JSON.stringify(headers)).not.toContain(token);
    const upper = await send(`${shop.url}/data`, { headers: ['X-VERCEL-Trusted-OIDC-IdP-Token', token] });
    expect(upper.status).toBe(200);
    // Spelled so that only a CGI program would take it for ours.
    const other = await send(`${shop.url}/data`, { headers: { x_vercel_trusted_oidc_idp_token: token } });
    expect(other.status).toBe(401);
  });

  test('a running deployment exchanges its token for one that names the deployment it calls, where that says so (federation-07)', async () => {
    const running = await mint(shop, { environment: 'production' });
    // Whoever was sent the token could do the same: what holds by default is for those who are known.
    for (const setting of [null, { acceptDefaultAudience: true }, { projects: { [api.projectId]: {} } }]) {
      await update(shop, setting);
      const refused = await exchange(running, shop.url);
      expect([refused.status, (refused.json() as { code: string }).code]).toEqual([400, 'invalid_target']);
    }
    expect((await mint(shop, { environment: 'production', audience: shop.url })).split('.')).toHaveLength(3);
    await update(shop, { projects: { [shop.projectId]: {} } });
    const answer = await exchange(running, shop.url);
    expect(answer.status, answer.text).toBe(200);
    const { token } = answer.json() as { token: string };
    expect((await call(shop.url, token)).status).toBe(200);
    // Nobody named the others: not by a list, and not by trusting this one.
    for (const audience of [api.url, `${shop.url}/`, 'http://nobody.app.localhost:1', tessera.urls.origin]) {
      expect((await exchange(running, audience)).status, audience).toBe(400);
    }
    await update(shop, { projects: { [shop.projectId]: { customAllow: [] } } });
    expect((await exchange(running, shop.url)).status).toBe(400);
    await update(shop, null);
  });

  test('development calls preview, and any other pair is told that it may not', async () => {
    const development = await world.call('tokens.mint', {
      params: { idOrName: shop.projectId },
      query: { teamId: world.team.id },
      body: { environment: 'development', audience: preview.url },
    });
    expect((await call(preview.url, development.token)).status).toBe(200);
    const own = await mint(shop, { environment: 'preview', audience: preview.url });
    expect((await call(preview.url, own)).status).toBe(200);
    await update(shop, { acceptDefaultAudience: true });
    const from = async (environment: string) => mint(shop, { environment });
    for (const [token, url] of [
      [await from('preview'), shop.url],
      [await from('production'), preview.url],
    ] as const) {
      const answer = await call(url, token);
      expect(answer.status).toBe(403);
      expect(answer.headers['x-vercel-error']).toBe('TRUSTED_SOURCES_ENVIRONMENT_MISMATCH');
      expect(answer.json()).toMatchObject({ error: { code: 'TRUSTED_SOURCES_ENVIRONMENT_MISMATCH' } });
      expect(answer.text).not.toContain(token);
    }
    await update(shop, null);
  });

  test('a token for the team, for another host or for us falls through to the other rules', async () => {
    const standard = await mint(shop, { environment: 'production' });
    expect((await call(shop.url, standard)).status).toBe(401);
    await update(shop, { acceptDefaultAudience: true });
    expect((await call(shop.url, standard)).status).toBe(200);
    await update(shop, null);
    const other = await mint(shop, { environment: 'preview', audience: preview.url });
    expect((await call(shop.url, other)).status).toBe(401);
    const assertion = await mint(shop, { environment: 'production', audience: tessera.urls.origin });
    expect((await call(shop.url, assertion)).status).toBe(401);
  });

  test('other projects of the team by pairs of environments; what is saved replaces the defaults', async () => {
    await update(shop, { projects: { [api.projectId]: {} } });
    const asked = (audience: string, environment = 'production') => mint(api, { environment, audience });
    expect((await call(shop.url, await asked(shop.url))).status).toBe(200);
    await expect(asked(preview.url)).rejects.toThrow('invalid_target');
    // The project itself keeps its defaults as long as nothing is said of it.
    const own = await mint(shop, { environment: 'production', audience: shop.url });
    expect((await call(shop.url, own)).status).toBe(200);
    await update(shop, {
      projects: {
        [api.projectId]: { customAllow: [{ from: production, to: { slugs: ['preview'] } }] },
        [shop.projectId]: { customAllow: [] },
      },
    });
    expect((await call(preview.url, await asked(preview.url))).status).toBe(200);
    const codes = [(await call(shop.url, own)).headers['x-vercel-error']];
    expect(codes).toEqual(['TRUSTED_SOURCES_ENVIRONMENT_MISMATCH']);
    await update(shop, null);
    // Trusted once is not trusted for ever.
    await update(shop, { projects: { [api.projectId]: {} } });
    const later = await asked(shop.url);
    await update(shop, null);
    expect((await call(shop.url, later)).status).toBe(401);
  });

  const openToForks = (projectId: string, teamId: string) =>
    world.call('projects.update', {
      params: { idOrName: projectId },
      query: { teamId },
      body: {
        oidcTokenConfig: {
          mintPolicy: {
            mode: 'enforce',
            rules: [{ name: 'reviews', environments: ['preview'], forks: true }],
          },
        },
      },
    });
  const pullRequest = { provider: 'github', repository: 'acme/site', ref: 'fix', pullRequest: 7 };

  test('a build of a fork is a stranger, and so is one of a pull request of which nobody says whose it is (federation-14)', async () => {
    const site = await world.protect(`forked-${kind}`);
    const url = await deploy(site.projectId, 'preview');
    // Otherwise it would have no token at all.
    await openToForks(site.projectId, world.team.id);
    const bearer = await createApiToken(tessera.urls.origin, world.admin, {
      name: 'forks',
      teamSlug: world.team.slug,
      builds: [{ projectId: site.projectId, environment: 'preview' }],
    });
    for (const [fork, status] of [
      [true, 401],
      [undefined, 401],
      [false, 200],
    ] as const) {
      const { id } = await world.call('deployments.create', {
        query: { teamId: world.team.id },
        body: {
          projectId: site.projectId,
          environment: 'preview',
          upstream: world.upstream.url.replace('localhost', '127.0.0.1'),
          git: { ...pullRequest, fork },
        },
      });
      const token = await mint(site, { deploymentId: id, audience: url }, { bearer });
      expect((await call(url, token)).status, String(fork)).toBe(status);
    }
  });

  test('a token ends with what it rests on', async () => {
    const site = await world.protect(`ending-${kind}`);
    await update(shop, { projects: { [site.projectId]: {} } });
    const own = await createApiToken(tessera.urls.origin, world.admin, {
      name: 'ending',
      teamSlug: world.team.slug,
      builds: [{ projectId: site.projectId, environment: 'production' }],
    });
    const answer = await send(
      `${tessera.urls.api}/v1/projects/${site.projectId}/token?teamId=${world.team.id}`,
      {
        method: 'POST',
        headers: { authorization: `Bearer ${own}`, 'content-type': 'application/json' },
        body: JSON.stringify({ environment: 'production', audience: shop.url }),
      },
    );
    const { token } = answer.json() as { token: string };
    expect((await call(shop.url, token)).status).toBe(200);
    await world.call('projects.update', {
      params: { idOrName: site.projectId },
      query: { teamId: world.team.id },
      body: { oidcTokenConfig: { enabled: false } },
    });
    expect((await call(shop.url, token)).status).toBe(401);
    await update(shop, null);
  });

  test('another team is a stranger, and can be named as an outside issuer by its id', async () => {
    const other = await world.call('teams.create', { body: { slug: 'partner', name: 'Partner' } });
    const query = { teamId: other.id };
    const project = await world.call('projects.create', { query, body: { name: 'caller' } });
    await world.call('projects.update', {
      params: { idOrName: project.id },
      query,
      body: { oidcTokenConfig: { audiences: ['https://for-shop.example'] } },
    });
    const { token } = await world.call('tokens.mint', {
      params: { idOrName: project.id },
      query,
      body: { environment: 'development', audience: 'https://for-shop.example' },
    });
    expect((await call(shop.url, token)).status).toBe(401);
    const iss = `${tessera.urls.oidc}/partner`;
    const named = (claims: object, issuerOf = iss) => ({
      oidcProviders: { [issuerOf]: [{ to: production, claims }] },
    });
    expect(await refusal(named({ aud: ['https://for-shop.example'], sub: ['x'] }))).toContain('"owner_id"');
    const claims = {
      aud: ['https://for-shop.example'],
      owner_id: [other.id],
      project_id: [project.id],
    };
    await update(shop, named(claims));
    expect((await call(shop.url, token)).status).toBe(200);
    expect((await call(preview.url, token)).status).toBe(401);
    await openToForks(project.id, other.id);
    const bearer = await createApiToken(tessera.urls.origin, world.admin, {
      name: `partner-${kind}`,
      teamSlug: 'partner',
      builds: [{ projectId: project.id, environment: 'preview' }],
    });
    for (const [fork, status] of [
      [true, 401],
      [undefined, 401],
      [false, 200],
    ] as const) {
      const asked = {
        environment: 'preview',
        audience: 'https://for-shop.example',
        git: { ...pullRequest, fork },
      };
      const build = await mint({ projectId: project.id }, asked, { bearer, teamId: other.id });
      expect((await call(shop.url, build)).status, String(fork)).toBe(status);
    }
    for (const wrong of [
      named({ ...claims, aud: [shop.url] }),
      named({ ...claims, owner_id: [world.team.id] }),
      named({ ...claims, project_id: [shop.projectId] }),
      named(claims, `${tessera.urls.oidc}/partners`),
      named(claims, `${tessera.urls.oidc}/`),
    ]) {
      await update(shop, wrong);
      expect((await call(shop.url, token)).status).toBe(401);
    }
    await update(shop, null);
  });
});
