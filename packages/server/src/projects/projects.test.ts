import { expect, it } from 'vitest';
import { auditMigrations, createAudit } from '#audit';
import { changeMigrations, createChanges } from '#changes';
import { createShiftedClock } from '#clock';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { projectMigrations } from './project-migrations.ts';
import { createProjects } from './projects.ts';

const acme = { id: 'team_acme' };
const other = { id: 'team_other' };
const by = { actor: 'usr_ada', reference: 'req_1' };
const passport = {
  connectorId: 'scl_1',
  deploymentType: 'all',
  sessionLifetimeSeconds: 3_600,
  sessionIdleSeconds: null,
  policy: 'everyone',
} as const;

describeOnBothDatabases('projects', (openDatabase) => {
  async function world() {
    const clock = createShiftedClock();
    const database = await openDatabase(
      [...projectMigrations, ...auditMigrations, ...changeMigrations],
      clock,
    );
    const audit = createAudit({ database, clock });
    const changes = createChanges({ database, clock });
    return { clock, database, audit, projects: createProjects({ database, clock, audit, changes }) };
  }

  it('finds a project by id and by name, in its own team alone', async () => {
    const { projects } = await world();
    const project = await projects.create(acme, 'site', by);
    expect(await projects.find('team_acme', project.id)).toMatchObject(project);
    expect(await projects.find('team_acme', 'site')).toMatchObject({ id: project.id });
    expect(await projects.find('team_other', project.id)).toBeUndefined();
    expect(await projects.find('team_other', 'site')).toBeUndefined();
    expect(project.environments).toEqual(['production', 'preview', 'development']);
    expect(project.passport).toBeUndefined();
  });

  it('inherits the Passport default of its team', async () => {
    const { projects } = await world();
    const defaultPassport = { connectorId: 'scl_1', deploymentType: 'preview' } as const;
    const project = await projects.create({ ...acme, defaultPassport }, 'site', by);
    expect(project.passport).toEqual({
      connectorId: 'scl_1',
      deploymentType: 'preview',
      sessionLifetimeSeconds: 43_200,
      sessionIdleSeconds: null,
      policy: 'everyone',
    });
  });

  it('never gives a name out again in its team, after a rename or a deletion', async () => {
    const { projects } = await world();
    const first = await projects.create(acme, 'site', by);
    await projects.update(acme.id, 'site', { name: 'site-two' }, by);
    await expect(projects.create(acme, 'site', by)).rejects.toMatchObject({ code: 'name_taken' });
    await projects.update(acme.id, first.id, { name: 'site' }, by);
    await projects.delete(acme.id, 'site', by);
    expect(await projects.find(acme.id, first.id)).toBeUndefined();
    await expect(projects.create(acme, 'site', by)).rejects.toMatchObject({ code: 'name_taken' });
    await expect(projects.create(acme, 'site-two', by)).rejects.toMatchObject({ code: 'name_taken' });
    await projects.create(other, 'site', by);
  });

  it('gives a name to one of many who ask at the same time', async () => {
    const { projects } = await world();
    const asked = await Promise.allSettled(
      Array.from({ length: 20 }, () => projects.create(acme, 'site', by)),
    );
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await projects.list(acme.id)).toHaveLength(1);
  });

  it('changes what is given and keeps the rest', async () => {
    const { projects, audit } = await world();
    await projects.create(acme, 'site', by);
    await Promise.all([
      projects.update(acme.id, 'site', { passport }, by),
      projects.update(acme.id, 'site', { oidcTokenConfig: { issuerMode: 'global' } }, by),
      projects.update(acme.id, 'site', { oidcTokenConfig: { audiences: ['sts', 'sts'] } }, by),
    ]);
    const project = await projects.find(acme.id, 'site');
    expect(project).toMatchObject({
      passport,
      oidcTokenConfig: { enabled: true, issuerMode: 'global', subjectForm: 'names', audiences: ['sts'] },
    });
    expect((await projects.update(acme.id, 'site', { passport: null }, by)).passport).toBeUndefined();
    const [record] = await audit.listOfTeam(acme.id, { limit: 1 });
    expect(record).toMatchObject({
      action: 'project.update',
      before: { passport },
      after: { passport: null },
    });
  });

  it('keeps the standard environments, and never makes a deleted one again', async () => {
    const { projects } = await world();
    await projects.create(acme, 'site', by);
    const change = (environments: string[]) => projects.update(acme.id, 'site', { environments }, by);
    expect((await change(['staging', 'production'])).environments).toEqual([
      'production',
      'preview',
      'development',
      'staging',
    ]);
    expect((await change([])).environments).toEqual(['production', 'preview', 'development']);
    await expect(change(['staging'])).rejects.toMatchObject({ code: 'name_taken' });
    expect((await change(['qa'])).environments).toContain('qa');
  });

  it('lists by whether Passport is on, page by page', async () => {
    const { projects, clock } = await world();
    for (const name of ['one', 'two', 'three']) {
      await projects.create(acme, name, by);
      clock.advance(1);
    }
    await projects.update(acme.id, 'two', { passport }, by);
    const names = async (page: Parameters<typeof projects.list>[1]) =>
      (await projects.list(acme.id, page)).map(({ name }) => name);
    expect(await names({ limit: 10, passport: 'disabled' })).toEqual(['one', 'three']);
    expect(await names({ limit: 10, passport: 'enabled' })).toEqual(['two']);
    const [first] = await projects.list(acme.id, { limit: 1 });
    expect(await names({ limit: 10, after: first! })).toEqual(['two', 'three']);
    expect(await projects.list(other.id)).toEqual([]);
  });

  it('counts a project for every month in which Passport was on, touched or not', async () => {
    const { projects, clock, database } = await world();
    const month = (later: number) => new Date(clock.now() + later).toISOString().slice(0, 7);
    const used = async (of: string) =>
      (await projects.passportUsage(acme.id, of)).projects.map(({ name }) => String(name)).toSorted();
    await projects.create(acme, 'off', by);
    await projects.create(acme, 'short', by);
    await projects.create({ ...acme, defaultPassport: passport }, 'inherited', by);
    await projects.update(acme.id, 'short', { passport }, by);
    await projects.update(acme.id, 'short', { passport: null }, by);
    const first = month(0);
    expect(await used(first)).toEqual(['inherited', 'short']);

    clock.advance(40 * 86_400_000);
    const later = month(0);
    expect(later).not.toBe(first);
    expect(await used(later)).toEqual([]);
    for (let round = 0; round < 2; round++) {
      await database.write((await projects.recordPassportUsage()).statements);
      expect(await used(later)).toEqual(['inherited']);
    }
    expect(await used(first)).toEqual(['inherited', 'short']);
    expect((await projects.passportUsage(acme.id)).month).toBe(later);
    expect((await projects.passportUsage(other.id, first)).projects).toEqual([]);
  });
});
