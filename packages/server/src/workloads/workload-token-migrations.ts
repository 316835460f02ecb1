import type { Migration } from '#database';

export const workloadTokenMigrations: readonly Migration[] = [
  {
    name: '0461-workload-tokens-create',
    async up(schema) {
      // What a token does not say about itself: by whose key it was made, and from which other. Never the token.
      await schema.schema
        .createTable('workloadTokens')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('minter', 'text', (column) => column.notNull())
        .addColumn('minterUserId', 'text')
        .addColumn('subjectId', 'text')
        .addColumn('expiresAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema
        .createIndex('workloadTokensByExpiry')
        .on('workloadTokens')
        .column('expiresAt')
        .execute();
    },
  },
  {
    name: '0512-workload-tokens-grant',
    async up(schema) {
      // Of a trust policy: under which of its grants it was minted.
      await schema.schema.alterTable('workloadTokens').addColumn('grantRevision', 'integer').execute();
    },
  },
];
