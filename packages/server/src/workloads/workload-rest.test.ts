import { roles, type Role } from '@tessera/contract';
import { describe, expect, test } from 'vitest';
import type { PublicError } from '#errors';
import type { Caller } from '#http';
import { createWorkloadRest, type Workload, type WorkloadProject, type WorkloadTeam } from './index.ts';

const team: WorkloadTeam = { id: 'team_1', slug: 'acme', workloadAlgorithm: 'RS256' };
const project: WorkloadProject & { environments: readonly string[] } = {
  id: 'prj_1',
  name: 'shop',
  environments: ['production', 'preview', 'development', 'staging'],
  oidcTokenConfig: { enabled: true, issuerMode: 'team', subjectForm: 'names', audiences: [] },
};
const deployments = [
  { id: 'dpl_1', teamId: 'team_1', projectId: 'prj_1', environment: 'production' },
  { id: 'dpl_2', teamId: 'team_1', projectId: 'prj_2', environment: 'production' },
  { id: 'dpl_3', teamId: 'team_2', projectId: 'prj_1', environment: 'production' },
];
const person: Caller = {
  kind: 'api-token',
  id: 'tok_1',
  userId: 'usr_1',
  teamId: undefined,
  permissions: 'role',
  builds: [],
};
const builder: Caller = {
  ...person,
  id: 'tok_2',
  permissions: new Set(['oidc-token:build']),
  builds: [{ projectId: 'prj_1', environment: 'production' }],
};

/** Calls the door behind the guard; resolves to the workload that was minted, or to the code of the refusal. */
async function mint(
  caller: Caller,
  body: { environment?: string; deploymentId?: string; audience?: string; source?: string } | undefined,
  role: Role = 'developer',
  idOrName = 'shop',
): Promise<(Workload & { source?: string | undefined }) | string> {
  let minted: (Workload & { source?: string | undefined }) | undefined;
  const [door] = createWorkloadRest({
    workloads: {
      mint: async (workload, { source }) => {
        minted = { ...workload, source };
        return { token: 'jwt', id: 'jti_1', expiresAt: 0 };
      },
      explain: () => {
        throw new Error('not asked for');
      },
      refuse: async (_workload, _asked, error) => error,
    },
    findTeam: async () => team,
    findProject: async (teamId, name) =>
      teamId === team.id && [project.id, project.name].includes(name) ? project : undefined,
    findDeployment: async (teamId, id) =>
      deployments.find((deployment) => deployment.id === id && deployment.teamId === teamId),
  });
  const answer = door?.answer as (call: object) => Promise<unknown>;
  return answer({
    caller,
    team: { id: team.id, slug: team.slug, role },
    params: { idOrName },
    query: { source: 'vercel-oidc-refresh' },
    body,
    reference: 'ref_1',
  }).then(
    () => minted ?? 'nothing',
    (error: PublicError) => error.code,
  );
}

describe('POST /v1/projects/{idOrName}/token', () => {
  test('without a body a person gets a development token in their own name', async () => {
    expect(await mint(person, undefined)).toMatchObject({
      environment: 'development',
      runtime: 'development',
      userId: 'usr_1',
      source: 'vercel-oidc-refresh',
    });
    expect(await mint(person, { source: 'vercel-cli' }, 'owner', 'prj_1')).toMatchObject({
      source: 'vercel-cli',
    });
  });

  test('which roles get a development token', async () => {
    const outcomes = await Promise.all(
      roles.map(async (role) => [role, typeof (await mint(person, {}, role))]),
    );
    expect(Object.fromEntries(outcomes)).toEqual({
      owner: 'object',
      member: 'object',
      developer: 'object',
      security: 'string',
      viewer: 'string',
    });
  });

  test('no person mints for a deployed environment, in no role', async () => {
    for (const role of roles) {
      expect(await mint(person, { environment: 'production' }, role)).toBe('workload_token_not_allowed');
      expect(await mint(person, { deploymentId: 'dpl_1' }, role)).toBe('workload_token_not_allowed');
    }
  });

  test('a builder mints for its own project and environment alone', async () => {
    const minted = await mint(builder, { environment: 'production' });
    expect(minted).toMatchObject({ environment: 'production', runtime: 'build', userId: undefined });
    for (const environment of ['preview', 'staging', 'development', 'no-such', 'Production']) {
      expect(await mint(builder, { environment })).toBe('workload_token_not_allowed');
    }
    const elsewhere = { ...builder, builds: [{ projectId: 'prj_2', environment: 'production' }] };
    expect(await mint(elsewhere, { environment: 'production' })).toBe('workload_token_not_allowed');
    const app: Caller = { ...builder, kind: 'access-token' };
    expect(await mint(app, { environment: 'production' })).toBe('workload_token_not_allowed');
  });

  test('a deployment gives its environment, and must be of the project', async () => {
    expect(await mint(builder, { deploymentId: 'dpl_1' })).toMatchObject({
      environment: 'production',
      deployment: { id: 'dpl_1' },
    });
    for (const deploymentId of ['dpl_2', 'dpl_3', 'dpl_none']) {
      expect(await mint(builder, { deploymentId })).toBe('deployment_mismatch');
    }
    expect(await mint(builder, { deploymentId: 'dpl_1', environment: 'preview' })).toBe(
      'deployment_mismatch',
    );
  });

  test('an environment must exist', async () => {
    const given = { ...builder, builds: [{ projectId: 'prj_1', environment: 'qa' }] };
    expect(await mint(given, { environment: 'qa' })).toBe('unknown_environment');
  });

  test('an unknown project is Not Found', async () => {
    expect(await mint(person, {}, 'owner', 'other')).toBe('not_found');
  });
});
