import type { Migration } from '#database';

export const deploymentMigrations: readonly Migration[] = [
  {
    name: '0140-deployments-create',
    async up(schema) {
      await schema.schema
        .createTable('deployments')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('projectId', 'text', (column) => column.notNull())
        .addColumn('environment', 'text', (column) => column.notNull())
        .addColumn('upstream', 'text', (column) => column.notNull())
        .addColumn('git', 'text')
        .addColumn('workloadSecretHash', 'text', (column) => column.notNull().unique())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema
        .createIndex('deploymentsByProject')
        .on('deployments')
        .columns(['projectId', 'createdAt'])
        .execute();
      // Every host that was ever given out, with the project and environment that it stays with. Without a
      // deploymentId it is a tombstone.
      await schema.schema
        .createTable('deploymentHosts')
        .addColumn('host', 'text', (column) => column.primaryKey())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('deploymentId', 'text')
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('projectId', 'text', (column) => column.notNull())
        .addColumn('environment', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema
        .createIndex('deploymentHostsByDeployment')
        .on('deploymentHosts')
        .column('deploymentId')
        .execute();
      await schema.schema
        .createIndex('deploymentHostsByProject')
        .on('deploymentHosts')
        .column('projectId')
        .execute();
    },
  },
  {
    name: '0460-deployments-trigger',
    async up(schema) {
      // What set its build off, in the builder's word.
      await schema.schema.alterTable('deployments').addColumn('trigger', 'text').execute();
    },
  },
  {
    name: '0510-deployments-previous-secret',
    async up(schema) {
      // While both count, nothing that runs has to be told at the very moment.
      for (const [column, type] of [
        ['previousWorkloadSecretHash', 'text'],
        ['previousWorkloadSecretExpiresAt', 'bigint'],
      ] as const) {
        await schema.schema.alterTable('deployments').addColumn(column, type).execute();
      }
      await schema.schema
        .createIndex('deploymentsByPreviousSecret')
        .on('deployments')
        .column('previousWorkloadSecretHash')
        .execute();
    },
  },
];
