import * as jose from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProblemError } from '../../packages/contract/src/index.ts';
import { send } from '../harness/send.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createFederationWorld, type FederationWorld } from './federation-world.ts';

describe.each(databaseKinds)('a new name, on %s', (kind) => {
  let world: FederationWorld;
  beforeAll(async () => {
    world = await createFederationWorld(kind);
    await world.call('apps.update', {
      params: { id: world.app.clientId },
      query: { teamId: world.team.id },
      body: {
        redirectProjects: [{ projectId: world.project.id, path: '/callback', environments: ['production'] }],
      },
    });
  });
  afterAll(() => world?.tessera.close());

  const renameProject = (name: string, dryRun: 'true' | 'false') =>
    world.call('projects.update', {
      params: { idOrName: world.project.id },
      query: { teamId: world.team.id, dryRun },
      body: { name },
    });
  const renameTeam = (slug: string, dryRun: 'true' | 'false') =>
    world.call('teams.update', { params: { id: world.team.id }, query: { dryRun }, body: { slug } });
  const lastRecord = async (action: string) => {
    const { records } = await world.call('audit-log.list', { query: { teamId: world.team.id } });
    return records.find((record) => record.action === action);
  };

  test('of a project says before and after what it breaks, and a dry run changes nothing', async () => {
    const subject = (name: string, environment: string) =>
      `owner:acme:project:${name}:environment:${environment}`;
    const query = { teamId: world.team.id };
    const policy = await world.call('trust-policies.create', {
      query,
      body: {
        name: 'CI',
        issuer: 'https://ci.example',
        audience: 'us',
        claims: [{ name: 'sub', values: [{ value: 'repo:acme/shop' }] }],
        permissions: ['deployment:write:preview'],
        projectIds: [world.project.id],
        builds: [{ projectId: world.project.id, environment: 'preview' }],
      },
    });
    const caller = await world.call('projects.create', { query, body: { name: 'caller' } });
    await world.call('trust-policies.create', {
      query,
      body: {
        name: 'Another',
        issuer: 'https://ci.example',
        audience: 'us',
        claims: [{ name: 'sub', values: [{ value: 'repo:acme/caller' }] }],
        builds: [{ projectId: caller.id, environment: 'preview' }],
      },
    });
    const trusting = await world.call('projects.create', { query, body: { name: 'trusting' } });
    await world.call('projects.update', {
      params: { idOrName: trusting.id },
      query,
      body: { trustedSources: { projects: { [world.project.id]: {} } } },
    });
    const trial = await renameProject('store', 'true');
    expect(trial.name).toBe('store');
    expect(trial.rename).toEqual({
      from: 'shop',
      to: 'store',
      issuers: [],
      audiences: [],
      subjects: ['production', 'preview', 'development'].map((environment) => ({
        before: subject('shop', environment),
        after: subject('store', environment),
      })),
      subjectsLeftOut: 0,
      claims: ['project'],
      trust: [
        {
          kind: 'app',
          id: world.app.clientId,
          name: 'Reports',
          setting: 'redirectProjects',
          breaks: false,
        },
        { kind: 'trust-policy', id: policy.id, name: 'CI', setting: 'projectIds', breaks: false },
        { kind: 'trust-policy', id: policy.id, name: 'CI', setting: 'builds', breaks: false },
        {
          kind: 'trusted-source',
          id: trusting.id,
          name: 'trusting',
          setting: 'trustedSources.projects',
          breaks: false,
        },
      ],
    });
    const address = { params: { idOrName: world.project.id }, query: { teamId: world.team.id } };
    expect((await world.call('projects.get', address)).name).toBe('shop');
    const done = await renameProject('store', 'false');
    expect(done.rename).toEqual(trial.rename);
    expect(await lastRecord('project.update')).toMatchObject({
      before: { name: 'shop' },
      after: { name: 'store', breaks: trial.rename },
    });
    expect(await renameProject('store', 'true')).not.toHaveProperty('rename');
    await renameProject('shop', 'false');
  });

  test('that is taken is refused by the dry run as by the change', async () => {
    const query = { teamId: world.team.id };
    await world.call('projects.create', { query, body: { name: 'taken' } });
    await world.call('projects.delete', { params: { idOrName: 'taken' }, query });
    await world.call('projects.create', { query, body: { name: 'living' } });
    await world.call('teams.create', { body: { slug: 'taken-team' } });
    for (const dryRun of ['true', 'false'] as const) {
      for (const rename of [
        () => renameProject('taken', dryRun),
        () => renameProject('living', dryRun),
        () => renameTeam('taken-team', dryRun),
      ]) {
        await expect(rename()).rejects.toSatisfy(
          (error) => error instanceof ProblemError && error.problem.code === 'name_taken',
        );
      }
    }
  });

  test('of a team moves issuers and audience; subjects by ids and the issuer for all stay', async () => {
    const { origin, oidc, passport } = world.tessera.urls;
    const query = { teamId: world.team.id };
    await world.call('projects.create', { query, body: { name: 'steady' } });
    await world.call('projects.update', {
      params: { idOrName: 'steady' },
      query,
      body: { oidcTokenConfig: { issuerMode: 'global', subjectForm: 'ids' } },
    });
    const { rename } = await renameTeam('acme-inc', 'true');
    expect(rename).toMatchObject({
      from: 'acme',
      to: 'acme-inc',
      issuers: [
        { before: `${oidc}/acme`, after: `${oidc}/acme-inc` },
        { before: `${passport}/acme`, after: `${passport}/acme-inc` },
      ],
      audiences: [{ before: `${origin}/acme`, after: `${origin}/acme-inc` }],
      claims: ['owner'],
    });
    const ofShop = rename!.subjects.map(({ after }) => after).filter((one) => one.includes(':shop:'));
    expect(ofShop).toEqual(
      ['production', 'preview', 'development'].map(
        (environment) => `owner:acme-inc:project:shop:environment:${environment}`,
      ),
    );
    expect(rename!.subjects.filter(({ before }) => before.includes('steady'))).toEqual([]);
    // What a verifier sees afterwards is what the report said.
    const before = await world.mintToken(world.builderToken, { environment: 'production' });
    await renameTeam('acme-inc', 'false');
    const after = jose.decodeJwt(await world.mintToken(world.builderToken, { environment: 'production' }));
    expect([after.iss, after.aud, after.sub]).toEqual([
      `${oidc}/acme-inc`,
      `${origin}/acme-inc`,
      'owner:acme-inc:project:shop:environment:production',
    ]);
    expect(await lastRecord('team.update')).toMatchObject({ after: { slug: 'acme-inc', breaks: rename } });
    // Its verifiers find the issuer that it names for as long as it lives.
    const old = (await send(`${oidc}/acme/.well-known/openid-configuration`)).json() as {
      issuer: string;
      jwks_uri: string;
    };
    expect(old.issuer).toBe(`${oidc}/acme`);
    const keySet = jose.createRemoteJWKSet(new URL(old.jwks_uri));
    await expect(jose.jwtVerify(before, keySet, { issuer: old.issuer })).resolves.toBeDefined();
    // A token from before keeps what it said, for as long as it lives: the old name is nobody else's.
    await world.configure({ audiences: ['sts.amazonaws.com'] });
    const exchanged = jose.decodeJwt(await world.exchangeToken(before, 'sts.amazonaws.com'));
    expect([exchanged.iss, exchanged.sub]).toEqual([
      `${oidc}/acme`,
      'owner:acme:project:shop:environment:production',
    ]);
    await renameTeam('acme', 'false');
  });

  test('ES256 is a choice of the team: published before it signs, and taken by verifiers and exchange', async () => {
    const { oidc } = world.tessera.urls;
    const choose = (workloadAlgorithm: 'RS256' | 'ES256') =>
      world.call('teams.update', { params: { id: world.team.id }, body: { workloadAlgorithm } });
    await choose('ES256');
    const document = (await send(`${oidc}/acme/.well-known/openid-configuration`)).json();
    expect(document).toMatchObject({ id_token_signing_alg_values_supported: ['RS256', 'ES256'] });
    const token = await world.mintToken(world.builderToken, { environment: 'production' });
    const exchanged = await world.exchangeToken(token, 'sts.amazonaws.com');
    const keySet = jose.createRemoteJWKSet(new URL(`${oidc}/acme/.well-known/jwks`));
    for (const one of [token, exchanged]) {
      const { protectedHeader } = await jose.jwtVerify(one, keySet, { issuer: `${oidc}/acme` });
      expect(protectedHeader.alg).toBe('ES256');
    }
    await choose('RS256');
    const again = await world.mintToken(world.builderToken, { environment: 'production' });
    expect(jose.decodeProtectedHeader(again).alg).toBe('RS256');
    expect((await world.introspect(token))['active']).toBe(true);
  });
});
