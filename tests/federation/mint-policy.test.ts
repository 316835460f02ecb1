import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createApiToken } from '../harness/front-door.ts';
import { send } from '../harness/send.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createFederationWorld, type FederationWorld } from './federation-world.ts';

type Problem = { code: string; detail: string; reference: string };

const aws = 'sts.amazonaws.com';
const main = { ref: 'main', fork: false };
const fork = { ref: 'main', fork: true, pullRequest: 7 };

describe.each(databaseKinds)('the mint policy of a project on %s', (kind) => {
  let world: FederationWorld;
  beforeAll(async () => {
    world = await createFederationWorld(kind);
  });
  afterAll(() => world?.tessera.close());
  beforeEach(() => world.configure({ audiences: [aws], mintPolicy: null }));

  const mint = (body: object) => world.mint(world.builderToken, { environment: 'production', ...body });
  const explain = (body: object) =>
    world.call('tokens.explain', {
      params: { idOrName: world.project.name },
      query: { teamId: world.team.id },
      body: { environment: 'production', ...body },
    });
  const recordOf = async (reference: string) => {
    const { records } = await world.call('audit-log.list', { query: { teamId: world.team.id } });
    return records.find((record) => record.reference === reference);
  };
  async function expectRefused(body: object, words: string | RegExp): Promise<void> {
    const answer = await mint(body);
    const { code, detail, reference } = answer.json() as Problem;
    expect([answer.status, code]).toEqual([403, 'mint_policy_refused']);
    expect(detail).toMatch(words);
    expect(await recordOf(reference)).toMatchObject({
      action: 'workload-token.refuse',
      object: world.project.id,
      after: { projectId: world.project.id, code: 'mint_policy_refused', why: detail },
    });
  }

  test('the build of a fork gets no token, and that is on the record (federation-14)', async () => {
    for (const environment of ['production', 'preview']) {
      await expectRefused({ environment, git: fork }, /"always: forks": The build of a fork/);
      // A pull request of which nobody says whose it is.
      await expectRefused({ environment, git: { pullRequest: 7 } }, /"always: forks"/);
    }
    expect((await mint({ git: main })).status).toBe(200);
    await world.configure({
      mintPolicy: { mode: 'enforce', rules: [{ name: 'reviews', environments: ['preview'], forks: true }] },
    });
    const { token } = (await mint({ environment: 'preview', git: fork })).json() as { token: string };
    expect(decodeJwt(token)).toMatchObject({ git_fork: true, git_pull_request: 7, git_ref: 'main' });
    await expectRefused({ git: fork }, /"always: forks"/);
  });

  test('a build that somebody has a shell in gets no production token (federation-15)', async () => {
    await expectRefused({ interactive: true }, /"always: interactive": A person has a shell/);
    const { token } = (await mint({ environment: 'preview', interactive: true })).json() as { token: string };
    expect(decodeJwt(token)).toMatchObject({ interactive: true, environment: 'preview' });
    const plain = (await mint({ interactive: false })).json() as { token: string };
    expect(decodeJwt(plain.token)).not.toHaveProperty('interactive');
  });

  test('rules over branch and trigger are named when they refuse, and put into the token when they allow', async () => {
    const rule = {
      name: 'main by push',
      environments: ['production'],
      branches: ['main'],
      triggers: ['push'],
    };
    await world.configure({ mintPolicy: { mode: 'enforce', rules: [rule] } });
    await expectRefused({ git: { ref: 'feature' }, trigger: 'push' }, /"main by push": .*"feature".*main/);
    await expectRefused({ git: main, trigger: 'schedule' }, /"main by push": .*"schedule".*push/);
    await expectRefused({}, /"main by push": Nobody said from which branch/);
    const { token } = (await mint({ git: main, trigger: 'push' })).json() as { token: string };
    expect(decodeJwt(token)).toMatchObject({ git_ref: 'main', git_fork: false, trigger: 'push' });
    expect((await mint({ environment: 'preview', git: { ref: 'feature' } })).status).toBe(200);
  });

  test('a deployment’s own record decides, whatever the builder says beside it', async () => {
    const rule = { name: 'main', environments: ['production'], branches: ['main'] };
    await world.configure({ mintPolicy: { mode: 'enforce', rules: [rule] } });
    const create = (git: object | undefined, trigger?: string) =>
      world.call('deployments.create', {
        query: { teamId: world.team.id },
        body: {
          projectId: world.project.id,
          environment: 'production',
          upstream: 'http://127.0.0.1:9',
          ...(git === undefined ? {} : { git }),
          ...(trigger === undefined ? {} : { trigger }),
        },
      });
    const [good, feature, silent] = [
      await create(main, 'push'),
      await create({ ref: 'feature' }),
      await create(undefined),
    ];
    expect(good.trigger).toBe('push');
    const { token } = (await mint({ deploymentId: good.id, git: { ref: 'main' } })).json() as {
      token: string;
    };
    expect(decodeJwt(token)).toMatchObject({ deployment_id: good.id, git_ref: 'main', trigger: 'push' });
    await expectRefused({ deploymentId: feature.id }, /"feature"/);
    await expectRefused({ deploymentId: silent.id }, /Nobody said/);
    for (const body of [
      { deploymentId: feature.id, git: { ref: 'main' } },
      { deploymentId: silent.id, git: { ref: 'main' } },
      { deploymentId: good.id, git: { ref: 'main', fork: true } },
      { deploymentId: good.id, trigger: 'schedule' },
    ]) {
      const answer = await mint(body);
      expect([answer.status, (answer.json() as Problem).code]).toEqual([400, 'deployment_mismatch']);
    }
  });

  test('audit mode refuses nothing and writes down what the rules would', async () => {
    const rule = { name: 'main', environments: ['production'], branches: ['main'] };
    await world.configure({ mintPolicy: { mode: 'audit', rules: [rule] } });
    const { token } = (await mint({ git: { ref: 'feature' } })).json() as { token: string };
    const { records } = await world.call('audit-log.list', { query: { teamId: world.team.id } });
    const about = records.filter(({ object }) => object === decodeJwt(token).jti);
    expect(about.map(({ action }) => action).toSorted((one, other) => one.localeCompare(other))).toEqual([
      'workload-token.mint',
      'workload-token.would-refuse',
    ]);
    expect(about.find(({ action }) => action.endsWith('would-refuse'))).toMatchObject({
      after: { why: expect.stringContaining('"feature"'), branch: 'feature' },
    });
    await expectRefused({ git: fork }, /"always: forks"/);
    const exchanged = await world.exchangeToken(token, aws);
    const later = await world.call('audit-log.list', { query: { teamId: world.team.id } });
    expect(later.records.find(({ object }) => object === decodeJwt(exchanged).jti)).toBeDefined();
  });

  test('an exchange opens nothing that a mint would not (federation-07)', async () => {
    const before = (await mint({ git: { ref: 'feature' } })).json() as { token: string };
    const narrow = (extra: object) =>
      world.configure({
        mintPolicy: { mode: 'enforce', rules: [{ name: 'cloud', environments: ['production'], ...extra }] },
      });
    await narrow({ branches: ['main'] });
    const refused = await world.exchange({ token: before.token, aud: aws });
    const { error, reference } = refused.json() as { error: string; reference: string };
    expect([refused.status, error]).toEqual([400, expect.stringMatching(/^invalid_target: .*'?"?cloud/)]);
    expect(await recordOf(reference)).toMatchObject({ action: 'workload-token.refuse' });
    const { token } = (await mint({ git: main })).json() as { token: string };
    await world.exchangeToken(token, aws);
    await narrow({ audiences: ['https://vault.example.net'] });
    expect((await world.exchange({ token, aud: aws })).status).toBe(400);
    await expectRefused({ audience: aws }, /"cloud": It is for the audience/);
  });

  test('a dry run says every rule, and makes and records nothing', async () => {
    await world.configure({
      mintPolicy: {
        mode: 'enforce',
        rules: [
          { name: 'main', environments: ['production'], branches: ['main'] },
          { name: 'reviews', environments: ['preview'], forks: true },
        ],
      },
    });
    const before = (await world.call('audit-log.list', { query: { teamId: world.team.id } })).records;
    const answer = await explain({ git: { ref: 'feature' }, audience: 'https://elsewhere.example' });
    const { origin, oidc } = world.tessera.urls;
    expect(answer).toMatchObject({
      allowed: false,
      issuer: `${oidc}/acme`,
      subject: 'owner:acme:project:shop:environment:production',
      audience: 'https://elsewhere.example',
      mode: 'enforce',
    });
    expect(answer.steps.map(({ rule, outcome }) => [rule, outcome])).toEqual([
      ['always: enabled', 'allows'],
      ['always: audience', 'refuses'],
      ['main', 'refuses'],
      ['reviews', 'does-not-apply'],
    ]);
    expect(await explain({ git: main })).toMatchObject({ allowed: true, audience: `${origin}/acme` });
    const after = (await world.call('audit-log.list', { query: { teamId: world.team.id } })).records;
    expect(after).toEqual(before);
  });

  test('what is not allowed to the caller is refused and on the record too', async () => {
    const answer = await world.mint(world.apiToken, { environment: 'production' });
    const { code, reference } = answer.json() as Problem;
    expect([answer.status, code]).toEqual([403, 'workload_token_not_allowed']);
    expect(await recordOf(reference)).toMatchObject({
      action: 'workload-token.refuse',
      after: { environment: 'production', code: 'workload_token_not_allowed' },
    });
  });

  test('a development token lives an hour, or as long as asked for up to twelve, and takes no facts of a build', async () => {
    const life = async (body: object) => {
      const { exp = 0, iat = 0 } = decodeJwt(await world.mintToken(world.apiToken, body));
      return exp - iat;
    };
    expect([
      await life({}),
      await life({ lifetimeSeconds: 43_200 }),
      await life({ lifetimeSeconds: 300 }),
    ]).toEqual([3_600, 43_200, 300]);
    for (const body of [
      { lifetimeSeconds: 43_201 },
      { lifetimeSeconds: 1 },
      { git: main },
      { trigger: 'push' },
      { interactive: true },
    ]) {
      expect((await world.mint(world.apiToken, body)).status).toBe(400);
    }
    expect((await mint({ lifetimeSeconds: 600 })).status).toBe(400);
  });

  test.each([
    [{ mode: 'enforce', rules: [] }],
    [{ mode: 'off', rules: [{ name: 'a', environments: ['production'] }] }],
    [{ mode: 'enforce', rules: [{ name: 'a', environments: [] }] }],
    [{ mode: 'enforce', rules: [{ name: 'a', environments: ['nowhere'] }] }],
    [{ mode: 'enforce', rules: [{ name: 'a', environments: ['production'], branches: ['*'] }] }],
    [{ mode: 'enforce', rules: [{ name: 'a', environments: ['production'], branches: ['a**'] }] }],
    [{ mode: 'enforce', rules: [{ name: 'a', environments: ['production'], branches: ['*a*b*c*'] }] }],
    [{ mode: 'enforce', rules: [{ name: 'a:b', environments: ['production'] }] }],
    [{ mode: 'enforce', rules: [{ name: 'a', environments: ['production'], more: 1 }] }],
    [
      {
        mode: 'enforce',
        rules: [
          { name: 'a', environments: ['production'] },
          { name: 'a', environments: ['preview'] },
        ],
      },
    ],
  ])('a policy that says nothing, or too much, is not saved: %j', async (mintPolicy) => {
    const answer = await send(
      `${world.tessera.urls.api}/v9/projects/${world.project.id}?teamId=${world.team.id}`,
      {
        method: 'PATCH',
        headers: { authorization: `Bearer ${world.apiToken}`, 'content-type': 'application/json' },
        body: JSON.stringify({ oidcTokenConfig: { mintPolicy } }),
      },
    );
    expect(answer.status).toBe(400);
  });

  test('of a flood of refusals the first are on the record, and that there were more (federation-14)', async () => {
    world.tessera.advance(2 * 60_000);
    const count = async () => {
      const { records } = await world.call('audit-log.list', {
        query: { teamId: world.team.id, limit: 100 },
      });
      return records.filter(({ action }) => action === 'workload-token.refuse').length;
    };
    const before = await count();
    const answers = await Promise.all(Array.from({ length: 45 }, () => mint({ git: fork })));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 403));
    expect(await count()).toBe(before + 21);
    const { records } = await world.call('audit-log.list', { query: { teamId: world.team.id } });
    expect(JSON.stringify(records[0]?.after)).toContain('more than 20 refusals within a minute');
    const token = await createApiToken(world.tessera.urls.origin, world.admin, { name: 'another' });
    const { reference } = (await world.mint(token, { environment: 'production' })).json() as Problem;
    expect(await recordOf(reference)).toMatchObject({ after: { code: 'workload_token_not_allowed' } });
    world.tessera.advance(2 * 60_000);
    await expectRefused({ git: fork }, /"always: forks"/);
  });
});
