import type { Migration } from '#database';

export const apiTokenMigrations: readonly Migration[] = [
  {
    name: '0150-api-tokens-create',
    async up(schema) {
      await schema.schema
        .createTable('apiTokens')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('userId', 'text', (column) => column.notNull())
        .addColumn('teamId', 'text')
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('tokenHash', 'text', (column) => column.notNull().unique())
        .addColumn('last4', 'text', (column) => column.notNull())
        .addColumn('permissions', 'text', (column) => column.notNull())
        .addColumn('projectIds', 'text', (column) => column.notNull())
        .addColumn('builds', 'text', (column) => column.notNull())
        .addColumn('freshUntil', 'bigint', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('expiresAt', 'bigint', (column) => column.notNull())
        .addColumn('lastUsedAt', 'bigint')
        .addColumn('revokedAt', 'bigint')
        .execute();
      await schema.schema
        .createIndex('apiTokensByUser')
        .on('apiTokens')
        .columns(['userId', 'createdAt'])
        .execute();
    },
  },
];
