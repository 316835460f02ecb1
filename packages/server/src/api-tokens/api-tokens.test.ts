import type { Role } from '@tessera/contract';
import { expect, it } from 'vitest';
import { auditMigrations, createAudit } from '#audit';
import { createShiftedClock } from '#clock';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { apiTokenMigrations } from './api-token-migrations.ts';
import { createApiTokens, type NewApiToken } from './api-tokens.ts';

const day = 86_400_000;

describeOnBothDatabases('API tokens', (openDatabase) => {
  async function world(role: Role | undefined = 'owner') {
    const clock = createShiftedClock();
    const database = await openDatabase([...apiTokenMigrations, ...auditMigrations], clock);
    const audit = createAudit({ database, clock });
    const project = { id: 'prj_site', name: 'site', environments: ['production', 'preview', 'development'] };
    const apiTokens = createApiTokens({
      database,
      clock,
      audit,
      findMembership: async (teamId) => (teamId === 'team_acme' && role ? { role } : undefined),
      findProject: async (teamId, id) =>
        teamId === 'team_acme' && ['prj_site', 'site'].includes(id) ? project : undefined,
    });
    const make = (input: Partial<NewApiToken> = {}) =>
      apiTokens.create({ userId: 'usr_ada', name: 'CI', ...input });
    return { clock, database, audit, apiTokens, make };
  }

  it('knows a token again, and keeps only its hash', async () => {
    const { apiTokens, database, make } = await world();
    const { apiToken, token } = await make();
    expect(token).toMatch(/^tess_[0-9A-Za-z]{49}$/);
    expect(await apiTokens.authenticate(token)).toMatchObject({ id: apiToken.id, permissions: 'role' });
    expect(await apiTokens.authenticate(`${token.slice(0, -1)}!`)).toBeUndefined();
    expect(await apiTokens.authenticate('')).toBeUndefined();
    const query = database.queries<{ apiTokens: object }>();
    const rows = await database.list(
      database.statement()(() => query.selectFrom('apiTokens').selectAll())({}),
    );
    expect(JSON.stringify(rows)).not.toContain(token);
  });

  it('ends when it expires and when it is revoked by its owner', async () => {
    const { apiTokens, audit, clock, make } = await world();
    const short = await make({ lifetimeSeconds: 60 });
    const long = await make({ teamId: 'team_acme' });
    clock.advance(60_001);
    expect(await apiTokens.authenticate(short.token)).toBeUndefined();
    await expect(apiTokens.revoke('usr_eve', long.apiToken.id)).rejects.toMatchObject({ code: 'not_found' });
    expect(await apiTokens.authenticate(long.token)).toBeDefined();
    await apiTokens.revoke('usr_ada', long.apiToken.id);
    expect(await apiTokens.authenticate(long.token)).toBeUndefined();
    expect((await apiTokens.listForUser('usr_ada')).map(({ id }) => id)).toEqual([short.apiToken.id]);
    const actions = (await audit.listOfTeam('team_acme', { limit: 10 })).map(({ action }) => action);
    expect(actions.toSorted()).toEqual(['api-token.create', 'api-token.revoke']);
  });

  it('writes down its use once a minute', async () => {
    const { apiTokens, clock, make } = await world();
    const { token } = await make();
    const used = async () => (await apiTokens.listForUser('usr_ada'))[0]!.lastUsedAt;
    await apiTokens.authenticate(token);
    await expect.poll(used).toBeTypeOf('number');
    const first = await used();
    clock.advance(30_000);
    await apiTokens.authenticate(token);
    await new Promise((settle) => setTimeout(settle, 50));
    expect(await used()).toBe(first);
    clock.advance(31_000);
    await apiTokens.authenticate(token);
    await expect.poll(used).toBeGreaterThan(first!);
  });

  it("counts the login that made a person's token as fresh for a day, and a list's never", async () => {
    const { make } = await world();
    const { apiToken } = await make();
    expect(apiToken.freshUntil - apiToken.createdAt).toBe(day);
    const listed = await make({ teamId: 'team_acme', permissions: ['team:read'] });
    expect(listed.apiToken.freshUntil).toBe(0);
  });

  it.each([
    ['what no token may hold', { permissions: ['team:write'] }, 'bad_request'],
    ['the builder as a listed permission', { permissions: ['oidc-token:build'] }, 'bad_request'],
    ['deployments of no named project', { permissions: ['deployment:write:preview'] }, 'bad_request'],
    ['nothing at all', { permissions: [] }, 'bad_request'],
    ['permissions of no team', { teamId: undefined, permissions: ['team:read'] }, 'bad_request'],
    ['another team', { teamId: 'team_other' }, 'not_found'],
    ['a project by name', { permissions: ['project:read'], projectIds: ['site'] }, 'not_found'],
    ['an unknown project', { permissions: ['project:read'], projectIds: ['prj_x'] }, 'not_found'],
    [
      'builds on a development machine',
      { builds: [{ projectId: 'prj_site', environment: 'development' }] },
      'unknown_environment',
    ],
    ['an empty name', { name: ' ' }, 'bad_request'],
  ] as const)('refuses %s', async (_, input, code) => {
    const { make } = await world();
    await expect(make({ teamId: 'team_acme', ...(input as Partial<NewApiToken>) })).rejects.toMatchObject({
      code,
    });
  });

  it('makes none of a team for a viewer there', async () => {
    const { make } = await world('viewer');
    await expect(make({ teamId: 'team_acme' })).rejects.toMatchObject({ code: 'forbidden' });
    await make();
  });

  it('gives nothing that its maker does not hold', async () => {
    const { make } = await world('developer');
    const teamId = 'team_acme';
    await expect(make({ teamId, permissions: ['audit:read'] })).rejects.toMatchObject({ code: 'forbidden' });
    const builds = [{ projectId: 'prj_site', environment: 'production' }];
    await expect(make({ teamId, builds })).rejects.toMatchObject({ code: 'forbidden' });
    const permissions: NewApiToken['permissions'] = ['deployment:write:preview'];
    await make({ teamId, permissions, projectIds: ['prj_site'] });
  });
});
