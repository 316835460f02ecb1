import type { Kysely } from 'kysely';
import { expect, it } from 'vitest';
import { auditMigrations, createAudit } from '#audit';
import { changeMigrations, createChanges } from '#changes';
import { createShiftedClock } from '#clock';
import { exactly, type Database } from '#database';
import { createLimits, limitMigrations } from '#limits';
import { createSealing } from '#sealing';
import { describeOnBothDatabases } from '../../../../../tests/harness/both-databases.ts';
import {
  createDeployments,
  createUpstreamAddresses,
  deploymentMigrations,
  domainMigrations,
} from '../index.ts';
import { proofRecordOf } from './domain.ts';

const name = 'www.shop.com';
const by = { actor: 'usr_ada', userId: 'usr_ada' };

type Owner = { id: string; label: string };
const ownersMigration = {
  name: '0139-owners',
  async up({ schema }: Kysely<unknown>) {
    for (const table of ['owningProjects', 'owningTeams'])
      await schema.createTable(table).addColumn('id', 'text').addColumn('label', 'text').execute();
  },
};
const joinOf = (table: string) => ({
  table,
  kind: table,
  revision: 'label',
  columns: ['id', 'label'],
  read: (row: Record<string, unknown>) => row as Owner,
});

describeOnBothDatabases('a domain of two projects', (openDatabase) => {
  async function world() {
    const clock = createShiftedClock();
    const opened = await openDatabase(
      [
        ownersMigration,
        ...deploymentMigrations,
        ...domainMigrations,
        ...auditMigrations,
        ...changeMigrations,
        ...limitMigrations,
      ],
      clock,
    );
    const gap: { after?: () => Promise<unknown> } = {};
    // What else happens between looking up the proven names and the unit that rests on them.
    const database: Database = {
      ...opened,
      async list(bound) {
        const rows = await opened.list(bound);
        const { after } = gap;
        if (after !== undefined && bound.text.startsWith('select "name" from "verifiedDomains"')) {
          delete gap.after;
          await after();
        }
        return rows;
      },
    };
    const query = database.queries<Record<'owningProjects' | 'owningTeams', Owner>>();
    const insert = (table: 'owningProjects' | 'owningTeams', id: string) =>
      database.statement<{ id: string }>()((value) =>
        query.insertInto(table).values({ id: value('id'), label: 'x' }),
      )({ id });
    const hold = database.statement<{ id: string }>()((value) =>
      query.updateTable('owningProjects').set({ label: 'x' }).where('id', '=', value('id')),
    );
    const texts: string[] = [];
    const hostSpace = { domain: 'hosting.dev', roleHosts: ['id.dev'], development: false };
    const deployments = createDeployments({
      database,
      clock,
      audit: createAudit({ database, clock }),
      changes: createChanges({ database, clock }),
      joins: { project: joinOf('owningProjects'), team: joinOf('owningTeams') },
      hostSpace,
      upstreamAddresses: createUpstreamAddresses({
        allow: { all: ['127.0.0.0/8'], byTeam: new Map() },
        ownPorts: () => [],
      }),
      ownHosts: [],
      limits: createLimits({ database, sealing: createSealing(new Uint8Array(32)) }),
      lookUpText: async () => ({ is: 'answered', texts }),
      holdProject: (id) => exactly(1, hold({ id })),
    });
    const { domains } = deployments;
    async function projectOf(letter: string) {
      const team = { id: `team_${letter}`, slug: letter };
      const project = { id: `prj_${letter}`, name: letter, environments: ['production', 'preview'] };
      await database.write([insert('owningProjects', project.id), insert('owningTeams', team.id)]);
      return {
        deploy: (more: object = {}) =>
          deployments.create(
            { team, project, environment: 'production', upstream: 'http://127.0.0.1:9', ...more },
            by,
          ),
        async prove() {
          await domains.add(team.id, project, { name, environment: 'production' }, by).catch(() => undefined);
          texts.push(proofRecordOf(await domains.find(team.id, project.id, name)).value);
          return domains.verify(team.id, project.id, name, by);
        },
        remove: () => domains.remove(team.id, project.id, name, by),
        delete: () => database.write(deployments.endOfProject(project)),
      };
    }
    const whoAnswers = async () => (await deployments.findByHost(name))?.deployment.projectId;
    return { gap, hostSpace, whoAnswers, a: await projectOf('a'), b: await projectOf('b') };
  }

  it('is left by a deployment of the one that loses it while the deployment is made', async () => {
    const { gap, whoAnswers, a, b } = await world();
    await a.prove();
    await b.deploy();
    gap.after = b.prove;
    const { deployment } = await a.deploy();
    expect(deployment.hosts.map(({ kind }) => kind)).toEqual(['generated']);
    expect(await whoAnswers()).toBe('prj_b');
  });

  it('is refused to a deployment that names it and loses it at that moment', async () => {
    const { gap, whoAnswers, a } = await world();
    await a.prove();
    gap.after = a.remove;
    await expect(a.deploy({ hosts: [{ host: name, kind: 'custom' }] })).rejects.toMatchObject({
      code: 'domain_proof_required',
    });
    expect(await whoAnswers()).toBeUndefined();
  });

  it('leads to a deployment that is made while it is proven', async () => {
    const { gap, whoAnswers, a } = await world();
    gap.after = a.prove;
    const { deployment } = await a.deploy();
    expect(deployment.hosts).toContainEqual({ host: name, kind: 'custom' });
    expect(await whoAnswers()).toBe('prj_a');
  });

  it('is no deployment’s any more once the operator makes it a host of the service', async () => {
    const { hostSpace, a } = await world();
    await a.prove();
    hostSpace.roleHosts.push(`login.${name}`);
    const { deployment } = await a.deploy();
    expect(deployment.hosts.map(({ kind }) => kind)).toEqual(['generated']);
    await expect(a.deploy({ hosts: [{ host: name, kind: 'custom' }] })).rejects.toMatchObject({
      code: 'host_refused',
    });
    await a.remove();
    await expect(a.prove()).rejects.toMatchObject({ code: 'not_found' });
  });

  it('answers nowhere after its project', async () => {
    const { whoAnswers, a, b } = await world();
    await a.prove();
    await a.deploy();
    expect(await whoAnswers()).toBe('prj_a');
    await a.delete();
    expect(await whoAnswers()).toBeUndefined();
    await b.deploy();
    expect(await whoAnswers()).toBeUndefined();
    await b.prove();
    expect(await whoAnswers()).toBe('prj_b');
  });
});
