import type { Migration } from '#database';

export const requestMigrations: readonly Migration[] = [
  {
    name: '0250-authorization-requests-create',
    async up(schema) {
      await schema.schema
        .createTable('authorizationRequests')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('parameters', 'text', (column) => column.notNull())
        .addColumn('reference', 'text', (column) => column.notNull())
        .addColumn('browserId', 'text')
        .addColumn('loginAtStart', 'text')
        .addColumn('approvedUserId', 'text')
        .addColumn('approvedScopes', 'text')
        .addColumn('approvedTeamId', 'text')
        .addColumn('cancelledAt', 'bigint')
        .addColumn('completedAt', 'bigint')
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('expiresAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema
        .createIndex('authorizationRequestsByExpiry')
        .on('authorizationRequests')
        .column('expiresAt')
        .execute();
    },
  },
  {
    name: '0251-pushed-requests-create',
    async up(schema) {
      await schema.schema
        .createTable('pushedRequests')
        .addColumn('hash', 'text', (column) => column.primaryKey())
        .addColumn('clientId', 'text', (column) => column.notNull())
        .addColumn('parameters', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('expiresAt', 'bigint', (column) => column.notNull())
        .addColumn('completedAt', 'bigint')
        .execute();
      await schema.schema
        .createIndex('pushedRequestsByExpiry')
        .on('pushedRequests')
        .column('expiresAt')
        .execute();
    },
  },
];
