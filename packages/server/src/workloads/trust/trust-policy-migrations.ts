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
  {
    name: '0511-trust-policies-change',
    async up(schema) {
      // `revision` counts changes. `grantRevision` counts those that end what the policy gave: a token names the one
      // that it was given under.
      for (const column of ['revision', 'grantRevision']) {
        await schema.schema
          .alterTable('trustPolicies')
          .addColumn(column, 'integer', (type) => type.notNull().defaultTo(1))
          .execute();
      }
      await schema.schema.alterTable('trustPolicies').addColumn('updatedAt', 'bigint').execute();
      await schema.schema
        .alterTable('trustTokens')
        .addColumn('grantRevision', 'integer', (type) => type.notNull().defaultTo(1))
        .execute();
      await schema.schema.alterTable('trustTokens').addColumn('createdAt', 'bigint').execute();
    },
  },
];
