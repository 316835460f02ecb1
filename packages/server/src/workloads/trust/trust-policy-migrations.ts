import type { Migration } from '#database';

export const trustPolicyMigrations: readonly Migration[] = [
  {
    name: '0470-trust-policies-create',
    async up(schema) {
      await schema.schema
        .createTable('trustPolicies')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('issuer', 'text', (column) => column.notNull())
        .addColumn('policy', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('createdBy', 'text', (column) => column.notNull())
        .execute();
      await schema.schema
        .createIndex('trustPoliciesByTeam')
        .on('trustPolicies')
        .columns(['teamId', 'createdAt'])
        .execute();
      await schema.schema
        .createTable('trustTokens')
        .addColumn('hash', 'text', (column) => column.primaryKey())
        .addColumn('id', 'text', (column) => column.notNull())
        .addColumn('policyId', 'text', (column) => column.notNull())
        .addColumn('expiresAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema.createIndex('trustTokensByExpiry').on('trustTokens').column('expiresAt').execute();
    },
  },
];
