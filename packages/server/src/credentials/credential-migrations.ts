import type { Migration } from '#database';

export const credentialMigrations: readonly Migration[] = [
  {
    name: '0120-credentials-create',
    async up(schema) {
      await schema.schema
        .createTable('passwordCredentials')
        .addColumn('userId', 'text', (column) => column.primaryKey())
        .addColumn('hash', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('updatedAt', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
];
