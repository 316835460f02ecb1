import type { Migration } from '#database';

export const codeMigrations: readonly Migration[] = [
  {
    name: '0010-codes-create',
    async up(schema) {
      await schema.schema
        .createTable('codes')
        .addColumn('hash', 'text', (column) => column.primaryKey())
        .addColumn('purpose', 'text', (column) => column.notNull())
        .addColumn('payload', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('expiresAt', 'bigint', (column) => column.notNull())
        .addColumn('redeemedAt', 'bigint')
        .execute();
      await schema.schema.createIndex('codesByExpiry').on('codes').column('expiresAt').execute();
    },
  },
  {
    name: '0490-codes-client',
    async up(schema) {
      await schema.schema.alterTable('codes').addColumn('clientId', 'text').execute();
    },
  },
];
