import { expect, it } from 'vitest';
import { auditMigrations, createAudit } from '#audit';
import { changeMigrations, createChanges } from '#changes';
import { createShiftedClock } from '#clock';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { teamMigrations } from './team-migrations.ts';
import { createTeams } from './teams.ts';

describeOnBothDatabases('teams', (openDatabase) => {
  async function world() {
    const clock = createShiftedClock();
    const database = await openDatabase([...teamMigrations, ...auditMigrations, ...changeMigrations], clock);
    const audit = createAudit({ database, clock });
    const changes = createChanges({ database, clock });
    return { clock, database, audit, changes, teams: createTeams({ database, clock, audit, changes }) };
  }

  it('keeps a team with its founder as owner, and tells the audit log', async () => {
    const { teams, audit } = await world();
    const team = await teams.create({ userId: 'usr_ada', slug: 'acme', name: 'Acme', reference: 'req_1' });
    expect(await teams.find(team.id)).toMatchObject({ ...team, defaultPassport: undefined });
    expect(await teams.findBySlug('acme')).toMatchObject({ id: team.id });
    expect(await teams.findMembership(team.id, 'usr_ada')).toMatchObject({ role: 'owner' });
    expect(await teams.findMembership(team.id, 'usr_eve')).toBeUndefined();
    const [record] = await audit.listOfTeam(team.id, { limit: 10 });
    expect(record).toMatchObject({ actor: 'usr_ada', action: 'team.create', reference: 'req_1' });
  });

  it('gives a slug to one of many who ask at the same time', async () => {
    const { teams } = await world();
    const asked = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        teams.create({ userId: `usr_${index}`, slug: 'acme', name: 'Acme' }),
      ),
    );
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await teams.listForUser('usr_19')).toHaveLength(0);
  });

  it('never gives a slug out again after a rename, except to the team whose it was', async () => {
    const { teams } = await world();
    const team = await teams.create({ userId: 'usr_ada', slug: 'acme', name: 'Acme' });
    await teams.update(team.id, { slug: 'acme-two' }, { actor: 'usr_ada' });
    expect(await teams.findBySlug('acme')).toBeUndefined();
    await expect(teams.create({ userId: 'usr_eve', slug: 'acme', name: 'Evil' })).rejects.toMatchObject({
      code: 'name_taken',
      status: 409,
    });
    const other = await teams.create({ userId: 'usr_eve', slug: 'other', name: 'Other' });
    await expect(teams.update(other.id, { slug: 'acme' }, { actor: 'usr_eve' })).rejects.toMatchObject({
      code: 'name_taken',
    });
    expect(await teams.find(other.id)).toMatchObject({ slug: 'other' });
    expect(await teams.update(team.id, { slug: 'acme' }, { actor: 'usr_ada' })).toMatchObject({
      slug: 'acme',
    });
  });

  it('gives nobody the slug with which the issuer of all teams ends', async () => {
    const { teams: _, ...needs } = await world();
    const teams = createTeams({ ...needs, oidcUrl: 'https://id.example/a/tokens' });
    const refused = { code: 'name_taken', status: 409 };
    await expect(teams.create({ userId: 'usr_eve', slug: 'tokens', name: 'E' })).rejects.toMatchObject(
      refused,
    );
    const team = await teams.create({ userId: 'usr_eve', slug: 'a', name: 'E' });
    const change = { slug: 'tokens' };
    await expect(teams.preview(team.id, change)).rejects.toMatchObject(refused);
    await expect(teams.update(team.id, change, { actor: 'usr_eve' })).rejects.toMatchObject(refused);
    const others = createTeams({ ...needs, oidcUrl: 'https://tokens' });
    await expect(others.update(team.id, change, { actor: 'usr_eve' })).resolves.toMatchObject(change);
  });

  it('loses no change of many at the same time', async () => {
    const { teams } = await world();
    const { id } = await teams.create({ userId: 'usr_ada', slug: 'acme', name: 'Acme' });
    const by = { actor: 'usr_ada' };
    await Promise.all([
      teams.update(id, { name: 'Acme Inc.' }, by),
      teams.update(id, { workloadAlgorithm: 'ES256' }, by),
      teams.update(id, { defaultPassport: { connectorId: 'scl_1', deploymentType: 'all' } }, by),
    ]);
    expect(await teams.find(id)).toMatchObject({
      name: 'Acme Inc.',
      workloadAlgorithm: 'ES256',
      defaultPassport: { connectorId: 'scl_1', deploymentType: 'all' },
    });
  });

  it('makes somebody a member once', async () => {
    const { teams, database } = await world();
    const { id } = await teams.create({ userId: 'usr_ada', slug: 'acme', name: 'Acme' });
    await teams.createMembership({ teamId: id, userId: 'usr_bob', role: 'developer' }, { actor: 'usr_ada' });
    await expect(
      teams.createMembership({ teamId: id, userId: 'usr_bob', role: 'owner' }, { actor: 'usr_ada' }),
    ).rejects.toMatchObject({ code: 'already_member' });
    expect(await teams.findMembership(id, 'usr_bob')).toMatchObject({ role: 'developer' });
    await database.write([teams.addMember(id, 'usr_cy', 'viewer')]);
    expect((await teams.listMembers(id, { limit: 10 })).map(({ userId }) => userId)).toContain('usr_cy');
  });

  it('lists the teams of a person page by page', async () => {
    const { teams, clock } = await world();
    for (const slug of ['one', 'two', 'three']) {
      await teams.create({ userId: 'usr_ada', slug, name: slug });
      clock.advance(1);
    }
    const first = await teams.listForUser('usr_ada', { limit: 2 });
    expect(first.map(({ team }) => team.slug)).toEqual(['one', 'two']);
    const after = first.at(-1)!.team;
    const second = await teams.listForUser('usr_ada', { limit: 2, after });
    expect(second.map(({ team, role }) => [team.slug, role])).toEqual([['three', 'owner']]);
  });
});
