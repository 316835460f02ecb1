import type { Migration } from '#database';

export const userMigrations: readonly Migration[] = [
  {
    name: '0100-users-create',
    async up(schema) {
      await schema.schema
        .createTable('users')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('email', 'text', (column) => column.notNull())
        .addColumn('emailKey', 'text', (column) => column.notNull().unique())
        .addColumn('emailVerified', 'integer', (column) => column.notNull())
        .addColumn('name', 'text')
        .addColumn('username', 'text', (column) => column.notNull().unique())
        .addColumn('picture', 'text')
        .addColumn('isInstanceAdmin', 'integer', (column) => column.notNull())
        // 1 for the person who set the instance up, null for all others: so there can be only one such person,
        // whatever runs in parallel.
        .addColumn('isFirst', 'integer', (column) => column.unique())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('updatedAt', 'bigint', (column) => column.notNull())
        .addColumn('disabledAt', 'bigint')
        .execute();
    },
  },
];
