import { sql } from 'kysely';
import type { Migration } from '#database';

export const connectorKeyMigrations: readonly Migration[] = [
  {
    name: '0431-connector-keys-create',
    async up(schema) {
      await schema.schema
        .createTable('connectorKeys')
        .addColumn('kid', 'text', (column) => column.primaryKey())
        .addColumn('connectorId', 'text', (column) => column.notNull())
        .addColumn('algorithm', 'text', (column) => column.notNull())
        .addColumn('isActive', 'integer', (column) => column.notNull())
        .addColumn('publicJwk', 'text', (column) => column.notNull())
        .addColumn('certificate', 'text', (column) => column.notNull())
        .addColumn('sealedPrivateJwk', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema
        .createIndex('connectorKeysByConnector')
        .on('connectorKeys')
        .columns(['connectorId', 'createdAt'])
        .execute();
      // However many ask at once, one key signs.
      await schema.schema
        .createIndex('connectorKeysActive')
        .unique()
        .on('connectorKeys')
        .column('connectorId')
        .where(sql.ref<number>('isActive'), '=', sql.lit(1))
        .execute();
    },
  },
];
