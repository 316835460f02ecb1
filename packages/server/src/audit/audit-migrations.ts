import type { Migration } from '#database';

export const auditMigrations: readonly Migration[] = [
  {
    name: '0020-audit-create',
    async up(schema) {
      await schema.schema
        .createTable('auditRecords')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('at', 'bigint', (column) => column.notNull())
        .addColumn('actor', 'text', (column) => column.notNull())
        .addColumn('action', 'text', (column) => column.notNull())
        .addColumn('object', 'text', (column) => column.notNull())
        .addColumn('teamId', 'text')
        .addColumn('before', 'text')
        .addColumn('after', 'text')
        .addColumn('reference', 'text')
        .execute();
      await schema.schema
        .createIndex('auditRecordsByTeam')
        .on('auditRecords')
        .columns(['teamId', 'id'])
        .execute();
    },
  },
];
