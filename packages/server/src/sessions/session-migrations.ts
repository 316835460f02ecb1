import type { Migration } from '#database';

export const sessionMigrations: readonly Migration[] = [
  {
    name: '0110-sessions-create',
    async up(schema) {
      await schema.schema
        .createTable('sessions')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('secretHash', 'text', (column) => column.notNull().unique())
        .addColumn('userId', 'text', (column) => column.notNull())
        .addColumn('authenticatedAt', 'bigint', (column) => column.notNull())
        .addColumn('amr', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('lastSeenAt', 'bigint', (column) => column.notNull())
        .addColumn('expiresAt', 'bigint', (column) => column.notNull())
        // Ended sessions stay as rows: tokens and records go on naming them.
        .addColumn('endedAt', 'bigint')
        .addColumn('userAgent', 'text')
        .addColumn('address', 'text')
        .execute();
      await schema.schema.createIndex('sessionsByUserId').on('sessions').column('userId').execute();
    },
  },
  {
    name: '0111-sessions-by-expiry',
    async up(schema) {
      await schema.schema.createIndex('sessionsByExpiry').on('sessions').column('expiresAt').execute();
    },
  },
];
