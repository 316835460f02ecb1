import type { Migration } from '#database';

export const tokenMigrations: readonly Migration[] = [
  {
    name: '0310-tokens-create',
    async up(schema) {
      await schema.schema
        .createTable('tokenFamilies')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('clientId', 'text', (column) => column.notNull())
        .addColumn('userId', 'text', (column) => column.notNull())
        .addColumn('sid', 'text', (column) => column.notNull())
        .addColumn('scopes', 'text', (column) => column.notNull())
        .addColumn('authenticatedAt', 'bigint', (column) => column.notNull())
        .addColumn('amr', 'text', (column) => column.notNull())
        .addColumn('redirectHost', 'text', (column) => column.notNull())
        .addColumn('resources', 'text', (column) => column.notNull())
        .addColumn('grantedTeamId', 'text')
        .addColumn('claims', 'text')
        .addColumn('acr', 'text')
        .addColumn('dpopJkt', 'text')
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('lastUsedAt', 'bigint', (column) => column.notNull())
        .addColumn('expiresAt', 'bigint', (column) => column.notNull())
        .addColumn('revokedAt', 'bigint')
        .addColumn('revokedReason', 'text')
        .execute();
      await schema.schema
        .createIndex('tokenFamiliesByClient')
        .on('tokenFamilies')
        .columns(['clientId', 'userId'])
        .execute();
      await schema.schema.createIndex('tokenFamiliesBySession').on('tokenFamilies').column('sid').execute();
      await schema.schema
        .createTable('accessTokens')
        .addColumn('hash', 'text', (column) => column.primaryKey())
        .addColumn('familyId', 'text')
        .addColumn('clientId', 'text', (column) => column.notNull())
        .addColumn('userId', 'text')
        .addColumn('scopes', 'text', (column) => column.notNull())
        .addColumn('resources', 'text', (column) => column.notNull())
        .addColumn('dpopJkt', 'text')
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('expiresAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema.createIndex('accessTokensByFamily').on('accessTokens').column('familyId').execute();
      await schema.schema.createIndex('accessTokensByClient').on('accessTokens').column('clientId').execute();
      await schema.schema
        .createTable('refreshTokens')
        .addColumn('hash', 'text', (column) => column.primaryKey())
        .addColumn('familyId', 'text', (column) => column.notNull())
        .addColumn('accessHash', 'text', (column) => column.notNull())
        .addColumn('usedAt', 'bigint')
        .addColumn('salt', 'text')
        .addColumn('successorHash', 'text')
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
  {
    name: '0311-tokens-by-age',
    async up(schema) {
      await schema.schema
        .createIndex('accessTokensByExpiry')
        .on('accessTokens')
        .column('expiresAt')
        .execute();
      await schema.schema.createIndex('refreshTokensByAge').on('refreshTokens').column('createdAt').execute();
      await schema.schema
        .createIndex('tokenFamiliesByExpiry')
        .on('tokenFamilies')
        .column('expiresAt')
        .execute();
      await schema.schema
        .createIndex('tokenFamiliesByEnd')
        .on('tokenFamilies')
        .column('revokedAt')
        .where('revokedAt', 'is not', null)
        .execute();
    },
  },
];
