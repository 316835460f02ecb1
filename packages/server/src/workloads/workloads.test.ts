import { randomBytes } from 'node:crypto';
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { auditMigrations, createAudit } from '#audit';
import { createShiftedClock } from '#clock';
import { createKeys, keyMigrations } from '#keys';
import { createSilentLogger } from '#logger';
import { createLimits, limitMigrations } from '#limits';
import { createSealing } from '#sealing';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import {
  createWorkloads,
  workloadTokenMigrations,
  type Workload,
  type WorkloadProject,
  type WorkloadTeam,
} from './index.ts';
import { workloadClaims } from './workload.ts';

const urls = {
  origin: 'https://id.example.com',
  api: 'https://id.example.com/api',
  oidc: 'https://id.example.com/oidc',
  passport: 'https://id.example.com/passport',
  connect: 'https://id.example.com/connect/callback',
};
type RunningProject = WorkloadProject & { environments: readonly string[] };
const team: WorkloadTeam = { id: 'team_1', slug: 'acme', workloadAlgorithm: 'RS256' };
const project: RunningProject = {
  id: 'prj_1',
  name: 'shop',
  environments: ['production', 'preview', 'development'],
  oidcTokenConfig: {
    enabled: true,
    issuerMode: 'team',
    subjectForm: 'names',
    audiences: ['sts.amazonaws.com'],
  },
};
const deployment = {
  id: 'dpl_1',
  environment: 'production',
  git: { provider: 'github', repository: 'acme/shop', ref: 'main', sha: 'abcdef0', fork: false },
};
const workload: Workload = { team, project, environment: 'production', runtime: 'build', deployment };

function withConfig(config: Partial<WorkloadProject['oidcTokenConfig']>): RunningProject {
  return { ...project, oidcTokenConfig: { ...project.oidcTokenConfig, ...config } };
}

describeOnBothDatabases('workload tokens', (openDatabase) => {
  async function start() {
    const clock = createShiftedClock();
    const database = await openDatabase(
      [...keyMigrations, ...auditMigrations, ...limitMigrations, ...workloadTokenMigrations],
      clock,
    );
    const sealing = createSealing(randomBytes(32));
    const limits = createLimits({ database, sealing });
    const keys = createKeys({
      database,
      clock,
      sealing,
      logger: createSilentLogger(),
    });
    await keys.start();
    const audit = createAudit({ database, clock });
    return { clock, keys, audit, workloads: createWorkloads({ database, clock, audit, keys, limits, urls }) };
  }

  test('a build token has every claim, lives an hour and leaves an audit record with its jti', async () => {
    const { workloads, keys, audit, clock } = await start();
    const minted = await workloads.mint(workload, {
      actor: 'tok_1',
      reference: 'ref_1',
      source: 'vercel-cli',
    });
    const now = Math.floor(clock.now() / 1000);
    const keySet = createLocalJWKSet({ keys: [...(await keys.published(['workload']))] });
    const { payload, protectedHeader } = await jwtVerify(minted.token, keySet, {
      issuer: 'https://id.example.com/oidc/acme',
      audience: 'https://id.example.com/acme',
      subject: 'owner:acme:project:shop:environment:production',
    });
    expect(Object.keys(protectedHeader).toSorted()).toEqual(['alg', 'kid', 'typ']);
    expect(protectedHeader).toMatchObject({ alg: 'RS256', typ: 'JWT' });
    expect(payload).toEqual({
      iss: 'https://id.example.com/oidc/acme',
      aud: 'https://id.example.com/acme',
      sub: 'owner:acme:project:shop:environment:production',
      scope: 'owner:acme:project:shop:environment:production',
      owner: 'acme',
      owner_id: 'team_1',
      project: 'shop',
      project_id: 'prj_1',
      environment: 'production',
      runtime: 'build',
      deployment_id: 'dpl_1',
      git_provider: 'github',
      git_repository: 'acme/shop',
      git_ref: 'main',
      git_sha: 'abcdef0',
      git_fork: false,
      iat: expect.any(Number),
      nbf: (payload.iat ?? 0) - 30,
      exp: (payload.iat ?? 0) + 3_600,
      jti: minted.id,
    });
    expect(Math.abs((payload.iat ?? 0) - now)).toBeLessThan(5);
    expect(minted.token.length).toBeLessThan(4_096);
    const [record] = await audit.listOfTeam('team_1', { limit: 10 });
    expect(record).toMatchObject({
      actor: 'tok_1',
      action: 'workload-token.mint',
      object: minted.id,
      reference: 'ref_1',
      after: { projectId: 'prj_1', environment: 'production', runtime: 'build', source: 'vercel-cli' },
    });
    expect(JSON.stringify(record)).not.toContain(minted.token);
  });

  test('issuer, subject and algorithm follow the settings of project and team', async () => {
    const { workloads, keys } = await start();
    const { token } = await workloads.mint(
      {
        ...workload,
        team: { ...team, workloadAlgorithm: 'ES256' },
        project: withConfig({ issuerMode: 'global', subjectForm: 'ids' }),
      },
      { actor: 'tok_1' },
    );
    const keySet = createLocalJWKSet({ keys: [...(await keys.published(['workload']))] });
    const { protectedHeader } = await jwtVerify(token, keySet, {
      issuer: 'https://id.example.com/oidc',
      subject: 'owner_id:team_1:project_id:prj_1:environment:production',
    });
    expect(protectedHeader.alg).toBe('ES256');
  });

  test('a running deployment is given the same token for ninety minutes', async () => {
    const { workloads, clock, audit } = await start();
    const running = { team, project, deployment };
    const [first, second] = await Promise.all([
      workloads.forDeployment(running),
      workloads.forDeployment(running),
    ]);
    expect(second).toBe(first);
    const claims = decodeJwt(first ?? '');
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(7_200);
    expect(claims).toMatchObject({ runtime: 'function', deployment_id: 'dpl_1', environment: 'production' });
    clock.advance(89 * 60_000);
    expect(await workloads.forDeployment(running)).toBe(first);
    clock.advance(2 * 60_000);
    expect(await workloads.forDeployment(running)).not.toBe(first);
    expect(await audit.listOfTeam('team_1', { limit: 10 })).toHaveLength(2);
  });

  test('after a change of names or settings nobody is given the token from before', async () => {
    const { workloads } = await start();
    const changed = [
      { team, project, deployment },
      { team: { ...team, slug: 'acme-inc' }, project, deployment },
      { team, project: { ...project, name: 'store' }, deployment },
      { team, project: withConfig({ subjectForm: 'ids' }), deployment },
      { team, project: withConfig({ issuerMode: 'global' }), deployment },
      { team, project, deployment: { ...deployment, environment: 'preview' } },
    ];
    const tokens = await Promise.all(changed.map((running) => workloads.forDeployment(running)));
    expect(new Set(tokens).size).toBe(changed.length);
  });

  test('a running deployment of a fork gets none, which is on the record once, and one that the policy opens does (federation-14)', async () => {
    const { workloads, audit } = await start();
    const fork = { id: 'dpl_f', environment: 'preview', git: { ref: 'main', fork: true }, trigger: 'push' };
    for (let request = 0; request < 3; request++) {
      expect(await workloads.forDeployment({ team, project, deployment: fork })).toBeUndefined();
    }
    const records = await audit.listOfTeam('team_1', { limit: 10 });
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({
      actor: 'dpl_f',
      action: 'workload-token.refuse',
      after: { deploymentId: 'dpl_f', fork: true, runtime: 'function', code: 'mint_policy_refused' },
    });
    const opened = withConfig({
      mintPolicy: { mode: 'enforce', rules: [{ name: 'all', environments: ['preview'], forks: true }] },
    });
    const token = await workloads.forDeployment({ team, project: opened, deployment: fork });
    expect(decodeJwt(token ?? '')).toMatchObject({ git_fork: true, trigger: 'push', runtime: 'function' });
  });

  test('a project with tokens switched off gets none', async () => {
    const { workloads } = await start();
    const off = withConfig({ enabled: false });
    expect(await workloads.forDeployment({ team, project: off, deployment })).toBeUndefined();
    await expect(workloads.mint({ ...workload, project: off }, { actor: 'tok_1' })).rejects.toMatchObject({
      code: 'oidc_tokens_disabled',
    });
  });

  test('only listed audiences, and never an address of ours but our issuer, as a client assertion of five minutes', async () => {
    const { workloads } = await start();
    const mint = (audience: string, of = project) =>
      workloads.mint({ ...workload, project: of }, { actor: 'tok_1', audience });
    expect(decodeJwt((await mint('sts.amazonaws.com')).token).aud).toBe('sts.amazonaws.com');
    expect(decodeJwt((await mint('https://id.example.com/acme')).token).aud).toBe(
      'https://id.example.com/acme',
    );
    const assertion = decodeJwt((await mint('https://id.example.com')).token);
    expect((assertion.exp ?? 0) - (assertion.iat ?? 0)).toBe(300);
    await expect(mint('https://vault.example.net')).rejects.toMatchObject({
      code: 'invalid_target',
      mend: expect.stringContaining('oidcTokenConfig'),
    });
    const own = [
      'https://id.example.com/other-team',
      'https://id.example.com/',
      'https://ID.example.com:443/api/',
      'https://id.example.com/oidc/acme',
      'http://id.example.com/api',
      'https://user@id.example.com/api',
    ];
    const outcomes = await Promise.allSettled(
      own.map((audience) => mint(audience, withConfig({ audiences: own }))),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(own.map(() => 'rejected'));
  });
});

describe('claims', () => {
  test('a development token names the person, and nothing that is not known', () => {
    const claims = workloadClaims(
      { team, project, environment: 'development', runtime: 'development', userId: 'usr_1' },
      { issuer: 'i', audience: 'a', id: 'jti_1', issuedAt: 1_000, lifetimeSeconds: 3_600 },
    );
    expect(claims).toMatchObject({ user_id: 'usr_1', exp: 4_600 });
    expect(Object.keys(claims)).not.toEqual(expect.arrayContaining(['deployment_id']));
    expect(Object.values(claims)).not.toContain(undefined);
  });
});
