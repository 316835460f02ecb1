import type { Kysely } from 'kysely';
import { expect, it } from 'vitest';
import { auditMigrations, createAudit } from '#audit';
import { changeMigrations, createChanges } from '#changes';
import { createShiftedClock } from '#clock';
import { exactly } from '#database';
import { createLimits } from '#limits';
import { createSealing } from '#sealing';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { deploymentMigrations } from './deployment-migrations.ts';
import { createDeployments, type NewDeployment } from './deployments.ts';
import { domainMigrations } from './domains/domain-migrations.ts';
import { createUpstreamAddresses } from './upstream-addresses.ts';

const by = { actor: 'usr_ada' };
const site = { id: 'prj_site', name: 'site', environments: ['production', 'preview', 'development', 'qa'] };
const input: NewDeployment = {
  team: { id: 'team_acme', slug: 'acme' },
  project: site,
  environment: 'production',
  upstream: 'http://127.0.0.1:3000',
};

// Stands for the rooms of projects and teams: the join itself is what is tested here.
const ownersMigration = {
  name: '0139-owners',
  async up(schema: Kysely<unknown>) {
    for (const table of ['owningProjects', 'owningTeams']) {
      await schema.schema.createTable(table).addColumn('id', 'text').addColumn('label', 'text').execute();
    }
  },
};
const joinOf = (table: string) => ({
  table,
  kind: table,
  revision: 'label',
  columns: ['id', 'label'],
  read: (row: Record<string, unknown>) => row as { id: string; label: string },
});
type OwnerTables = Record<'owningProjects' | 'owningTeams', { id: string; label: string }>;

describeOnBothDatabases('deployments', (openDatabase) => {
  async function world() {
    const clock = createShiftedClock();
    const database = await openDatabase(
      [
        ownersMigration,
        ...deploymentMigrations,
        ...domainMigrations,
        ...auditMigrations,
        ...changeMigrations,
      ],
      clock,
    );
    const audit = createAudit({ database, clock });
    const query = database.queries<OwnerTables>();
    const insert = (table: keyof OwnerTables, id: string) =>
      database.statement<{ id: string }>()((value) =>
        query.insertInto(table).values({ id: value('id'), label: `the ${id}` }),
      )({ id });
    await database.write([insert('owningProjects', 'prj_site'), insert('owningTeams', 'team_acme')]);
    const hold = database.statement<{ id: string }>()((value) =>
      query.updateTable('owningProjects').set({ label: `the prj_site` }).where('id', '=', value('id')),
    );
    const deployments = createDeployments({
      database,
      clock,
      audit,
      changes: createChanges({ database, clock }),
      joins: { project: joinOf('owningProjects'), team: joinOf('owningTeams') },
      hostSpace: { domain: 'app.localhost', roleHosts: ['localhost'], development: true },
      upstreamAddresses: createUpstreamAddresses({
        allow: { all: ['127.0.0.0/8', '::1'], byTeam: new Map() },
        ownPorts: () => [],
      }),
      ownHosts: ['localhost:4000'],
      limits: createLimits({ database, sealing: createSealing(new Uint8Array(32)) }),
      lookUpText: async () => ({ is: 'answered', texts: [] }),
      holdProject: () => exactly(1, hold({ id: 'prj_site' })),
    });
    return { clock, database, deployments };
  }

  it('answers at a generated host with its project and team, in one statement', async () => {
    const { deployments } = await world();
    const { deployment } = await deployments.create(input, by);
    const [generated] = deployment.hosts;
    expect(generated!.host).toMatch(/^site-[a-z0-9]{9}-acme\.app\.localhost$/);
    const located = await deployments.findByHost(generated!.host);
    const { hosts: _, ...kept } = deployment;
    expect(located).toEqual({
      host: generated!.host,
      hostKind: 'generated',
      deployment: kept,
      project: { id: 'prj_site', label: 'the prj_site' },
      team: { id: 'team_acme', label: 'the team_acme' },
    });
    expect(await deployments.findByHost('other.app.localhost')).toBeUndefined();
  });

  it('is found in its own team alone', async () => {
    const { deployments } = await world();
    const { deployment } = await deployments.create(input, by);
    expect(await deployments.find('team_acme', deployment.id)).toEqual(deployment);
    expect(await deployments.find('team_other', deployment.id)).toBeUndefined();
    await expect(deployments.delete('team_other', deployment.id, by)).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it('knows a deployment by its workload secret, which it does not keep', async () => {
    const { deployments } = await world();
    const { deployment, workloadSecret } = await deployments.create(input, by);
    expect((await deployments.findByWorkloadSecret(workloadSecret))?.id).toBe(deployment.id);
    expect(await deployments.findByWorkloadSecret(deployment.workloadSecretHash)).toBeUndefined();
    expect(JSON.stringify(deployment)).not.toContain(workloadSecret);
  });

  it('moves an alias to the newer deployment of the same project and environment, and to no other', async () => {
    const { deployments } = await world();
    const hosts = [{ host: 'site.app.localhost', kind: 'alias' }] as const;
    const first = await deployments.create({ ...input, hosts }, by);
    const second = await deployments.create({ ...input, hosts }, by);
    expect((await deployments.findByHost('site.app.localhost'))?.deployment.id).toBe(second.deployment.id);
    expect((await deployments.find('team_acme', first.deployment.id))?.hosts).toHaveLength(1);
    const strangers: Partial<NewDeployment>[] = [
      { environment: 'preview' },
      { project: { ...site, id: 'prj_two' } },
      { team: { id: 'team_other', slug: 'other' } },
    ];
    for (const stranger of strangers) {
      await expect(deployments.create({ ...input, ...stranger, hosts }, by)).rejects.toMatchObject({
        code: 'host_taken',
      });
    }
    const [generated] = first.deployment.hosts;
    await expect(
      deployments.create({ ...input, hosts: [{ host: generated!.host, kind: 'alias' }] }, by),
    ).rejects.toMatchObject({ code: 'host_taken' });
    expect((await deployments.findByHost('site.app.localhost'))?.deployment.id).toBe(second.deployment.id);
  });

  it('keeps a host for its project after the deployment, and after the project', async () => {
    const { deployments, database } = await world();
    const hosts = [{ host: 'site.app.localhost', kind: 'alias' }] as const;
    const { deployment } = await deployments.create({ ...input, hosts }, by);
    await deployments.delete('team_acme', deployment.id, by);
    expect(await deployments.findByHost('site.app.localhost')).toBeUndefined();
    const foreign = { ...input, team: { id: 'team_other', slug: 'other' }, hosts };
    await expect(deployments.create(foreign, by)).rejects.toMatchObject({ code: 'host_taken' });
    await deployments.create({ ...input, hosts }, by);
    await database.write(deployments.endOfProject({ id: 'prj_site' }));
    expect(await deployments.findByHost('site.app.localhost')).toBeUndefined();
    await expect(deployments.create(foreign, by)).rejects.toMatchObject({ code: 'host_taken' });
  });

  it('takes no environment that the project lacks, and none called development', async () => {
    const { deployments } = await world();
    await deployments.create({ ...input, environment: 'qa' }, by);
    for (const environment of ['staging', 'development']) {
      await expect(deployments.create({ ...input, environment }, by)).rejects.toMatchObject({
        code: 'unknown_environment',
      });
    }
  });
});
