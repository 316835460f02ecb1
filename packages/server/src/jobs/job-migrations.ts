import type { Migration } from '#database';

export const jobMigrations: readonly Migration[] = [
  {
    name: '0050-jobs-create',
    async up(schema) {
      await schema.schema
        .createTable('jobs')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('payload', 'text', (column) => column.notNull())
        .addColumn('attempts', 'integer', (column) => column.notNull())
        .addColumn('dueAt', 'bigint', (column) => column.notNull())
        .addColumn('leaseToken', 'text')
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema.createIndex('jobsByDue').on('jobs').column('dueAt').execute();
    },
  },
];
