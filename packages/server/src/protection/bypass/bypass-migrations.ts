import type { Migration } from '#database';

export const bypassMigrations: readonly Migration[] = [
  {
    name: '0411-automation-bypasses-create',
    async up(schema) {
      await schema.schema
        .createTable('automationBypasses')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('projectId', 'text', (column) => column.notNull())
        .addColumn('secretHash', 'text', (column) => column.notNull())
        .addColumn('note', 'text')
        .addColumn('isEnvVar', 'integer', (column) => column.notNull())
        .addColumn('environments', 'text')
        .addColumn('pathPrefix', 'text')
        .addColumn('expiresAt', 'bigint')
        .addColumn('lastUsedAt', 'bigint')
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('createdBy', 'text', (column) => column.notNull())
        .addColumn('revision', 'integer', (column) => column.notNull())
        .addUniqueConstraint('automationBypassesBySecret', ['projectId', 'secretHash'])
        .execute();
    },
  },
  {
    name: '0412-share-links-create',
    async up(schema) {
      // One for each host; a new one takes the place of the old.
      await schema.schema
        .createTable('shareLinks')
        .addColumn('host', 'text', (column) => column.primaryKey())
        .addColumn('id', 'text', (column) => column.notNull())
        .addColumn('projectId', 'text', (column) => column.notNull())
        .addColumn('secretHash', 'text', (column) => column.notNull())
        .addColumn('expiresAt', 'bigint')
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('createdBy', 'text', (column) => column.notNull())
        .execute();
      await schema.schema.createIndex('shareLinksByProject').on('shareLinks').column('projectId').execute();
    },
  },
];
