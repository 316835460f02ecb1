import type { Migration } from '#database';

export const limitMigrations: readonly Migration[] = [
  {
    name: '0040-limits-create',
    async up(schema) {
      await schema.schema
        .createTable('limits')
        .addColumn('bucket', 'text', (column) => column.primaryKey())
        .addColumn('tries', 'integer', (column) => column.notNull())
        .addColumn('windowEndsAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema.createIndex('limitsByEnd').on('limits').column('windowEndsAt').execute();
    },
  },
];
