import type { Migration } from '#database';

export const attemptMigrations: readonly Migration[] = [
  {
    name: '0260-sign-in-attempts-create',
    async up(schema) {
      await schema.schema
        .createTable('signInAttempts')
        .addColumn('reference', 'text', (column) => column.primaryKey())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('teamId', 'text')
        .addColumn('appId', 'text')
        .addColumn('projectId', 'text')
        .addColumn('deploymentId', 'text')
        .addColumn('connectorId', 'text')
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema
        .createIndex('signInAttemptsByTeam')
        .on('signInAttempts')
        .columns(['teamId', 'createdAt'])
        .execute();
      await schema.schema
        .createTable('signInAttemptSteps')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('reference', 'text', (column) => column.notNull())
        .addColumn('step', 'text', (column) => column.notNull())
        .addColumn('outcome', 'text', (column) => column.notNull())
        .addColumn('detail', 'text')
        .addColumn('at', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema
        .createIndex('signInAttemptStepsByReference')
        .on('signInAttemptSteps')
        .columns(['reference', 'id'])
        .execute();
    },
  },
  {
    name: '0261-sign-in-attempts-by-age',
    async up(schema) {
      await schema.schema
        .createIndex('signInAttemptsByAge')
        .on('signInAttempts')
        .column('createdAt')
        .execute();
    },
  },
];
