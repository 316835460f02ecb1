import type { Migration } from '#database';

export const clientMigrations: readonly Migration[] = [
  {
    name: '0320-client-assertions-create',
    async up(schema) {
      await schema.schema
        .createTable('clientAssertions')
        .addColumn('hash', 'text', (column) => column.primaryKey())
        .addColumn('expiresAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema
        .createIndex('clientAssertionsByExpiry')
        .on('clientAssertions')
        .column('expiresAt')
        .execute();
    },
  },
];
