import type { Migration } from '#database';

export const connectorTestMigrations: readonly Migration[] = [
  {
    name: '0432-connector-tests-create',
    async up(schema) {
      await schema.schema
        .createTable('connectorTests')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('connectorId', 'text', (column) => column.notNull())
        .addColumn('userId', 'text', (column) => column.notNull())
        .addColumn('projectId', 'text')
        .addColumn('reference', 'text')
        .addColumn('report', 'text')
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('expiresAt', 'bigint', (column) => column.notNull())
        .addColumn('startedAt', 'bigint')
        .addColumn('finishedAt', 'bigint')
        .execute();
      await schema.schema
        .createIndex('connectorTestsByAge')
        .on('connectorTests')
        .column('createdAt')
        .execute();
    },
  },
];
