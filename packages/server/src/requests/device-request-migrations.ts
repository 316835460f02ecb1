import type { Migration } from '#database';

export const deviceRequestMigrations: readonly Migration[] = [
  {
    name: '0255-device-requests-create',
    async up(schema) {
      await schema.schema
        .createTable('deviceRequests')
        .addColumn('id', 'text', (column) => column.primaryKey())
        // A keyed hash: a plain one of so short a code could be turned round by trying.
        .addColumn('userCodeMac', 'text', (column) => column.notNull().unique())
        .addColumn('clientId', 'text', (column) => column.notNull())
        .addColumn('scopes', 'text', (column) => column.notNull())
        .addColumn('resources', 'text', (column) => column.notNull())
        .addColumn('reference', 'text', (column) => column.notNull())
        .addColumn('address', 'text', (column) => column.notNull())
        .addColumn('userAgent', 'text')
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('expiresAt', 'bigint', (column) => column.notNull())
        .addColumn('interval', 'integer', (column) => column.notNull())
        .addColumn('lastAskedAt', 'bigint')
        .addColumn('claimedBrowserId', 'text')
        .addColumn('claimedUserId', 'text')
        .addColumn('claimedSid', 'text')
        .addColumn('approvedAt', 'bigint')
        .addColumn('authenticatedAt', 'bigint')
        .addColumn('amr', 'text')
        .addColumn('deniedAt', 'bigint')
        .addColumn('completedAt', 'bigint')
        .execute();
      await schema.schema
        .createIndex('deviceRequestsByExpiry')
        .on('deviceRequests')
        .column('expiresAt')
        .execute();
    },
  },
];
