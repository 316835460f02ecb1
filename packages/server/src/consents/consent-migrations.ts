import type { Migration } from '#database';

export const consentMigrations: readonly Migration[] = [
  {
    name: '0240-consents-create',
    async up(schema) {
      await schema.schema
        .createTable('consents')
        .addColumn('userId', 'text', (column) => column.notNull())
        .addColumn('appId', 'text', (column) => column.notNull())
        // Empty where there is none: a key cannot hold null.
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('host', 'text', (column) => column.notNull())
        .addColumn('scopes', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('updatedAt', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('consentsKey', ['userId', 'appId', 'teamId', 'host'])
        .execute();
    },
  },
];
